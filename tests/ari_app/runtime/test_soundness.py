"""Large books are read to their last page beside the work, and damage there turns health red."""

from __future__ import annotations

from pathlib import Path

import pytest

from ari_app.runtime.soundness import Soundness
from ari_app.store import db
from tests.support.books import Books, damage_far_from_the_tables


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Books that are too large to be read at the start."""
    books = Books(tmp_path)
    books.close()
    monkeypatch.setattr(db, "READ_AT_START", 0)
    return books.path


async def test_sound_books_are_sound(path: Path) -> None:
    soundness = Soundness(path)
    await soundness.run()
    assert soundness.trouble is None


async def test_damage_that_the_start_has_not_met_is_told_with_its_mend(path: Path) -> None:
    damage_far_from_the_tables(path)
    db.prepare(path)
    soundness = Soundness(path)
    await soundness.run()
    assert soundness.trouble is not None
    assert "'ringback restore' puts the last good backup in its place" in soundness.trouble


async def test_small_books_are_not_read_twice(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    damage_far_from_the_tables(path)
    monkeypatch.setattr(db, "READ_AT_START", 1_000_000_000)
    soundness = Soundness(path)
    await soundness.run()
    assert soundness.trouble is None


async def test_books_that_cannot_be_read_now_are_not_called_damaged(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    soundness = Soundness(path.with_name("nowhere.db"))
    monkeypatch.setattr("ari_app.runtime.soundness.read_at_start", lambda _: False)
    await soundness.run()
    assert soundness.trouble is None
