"""The folder of rendered prompts."""

from __future__ import annotations

from pathlib import Path

import pytest

from ari_app.pbx.sounds import SoundFolder
from tests.support.tones import tone


def test_a_prompt_that_was_put_is_there_with_its_length_and_digest(tmp_path: Path) -> None:
    folder = SoundFolder(tmp_path)
    put = folder.put("notice", tone(440, 0.5))
    assert folder.get("notice") == put
    assert put.seconds == 0.5
    assert put.media == f"sound:{tmp_path}/notice"
    assert list(tmp_path.iterdir()) == [tmp_path / "notice.wav"]


def test_a_prompt_that_was_never_put_is_none(tmp_path: Path) -> None:
    assert SoundFolder(tmp_path).get("notice") is None


def test_another_file_of_that_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notice.wav").write_bytes(b"not a sound")
    with pytest.raises(ValueError, match="notice"):
        SoundFolder(tmp_path).get("notice")


@pytest.mark.parametrize("name", ["", "../x", "a b", "a&b", "x" * 81])
def test_a_name_cannot_lead_out_of_the_folder_or_mean_something_to_asterisk(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="no name for a sound"):
        SoundFolder(tmp_path).put(name, b"")


def test_half_a_sample_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="pairs"):
        SoundFolder(tmp_path).put("notice", b"\0")
