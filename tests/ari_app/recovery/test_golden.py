"""Behaviours, told one file each (tests/ari_app/recovery/golden). ``RINGBACK_GOLDEN=write`` writes them anew."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.golden import retell

STORIES = sorted((Path(__file__).parent / "golden").glob("*.txt"))


@pytest.mark.parametrize("path", STORIES, ids=lambda path: path.stem)
def test_the_story_is_told_as_it_stands(path: Path, tmp_path: Path) -> None:
    story = path.read_text(encoding="utf-8")
    told = retell(story, tmp_path)
    if os.environ.get("RINGBACK_GOLDEN") == "write":
        path.write_text(told, encoding="utf-8")
    assert told == story


def test_there_are_stories() -> None:
    assert len(STORIES) >= 20
