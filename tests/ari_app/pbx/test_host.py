"""Which Asterisk is taken, and how its version is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from ari_app.pbx.errors import AsteriskMissingError
from ari_app.pbx.host import AsteriskVersion, cache_folder, find_asterisk, find_ready


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("Asterisk 22.10.1+dfsg+~cs6.17.60671434-1", AsteriskVersion(22, 10, 1)),
        ("Asterisk 16.28.0~dfsg-0+deb11u4", AsteriskVersion(16, 28, 0)),
        ("1:20.6.0~dfsg+~cs6.13.40431414-2build5", AsteriskVersion(20, 6, 0)),
        ("Asterisk certified/18.9-cert5", AsteriskVersion(18, 9)),
        ("Asterisk 22.8.2", AsteriskVersion(22, 8, 2)),
    ],
)
def test_a_version_is_read_from_what_asterisk_and_packages_say(text: str, version: AsteriskVersion) -> None:
    assert AsteriskVersion.parse(text) == version


def test_what_is_no_version_is_refused() -> None:
    with pytest.raises(ValueError, match="expected a version such as"):
        AsteriskVersion.parse("Asterisk GIT-master-abc")


def test_versions_compare_by_number_and_not_by_letter() -> None:
    assert AsteriskVersion(22, 10) > AsteriskVersion(22, 8, 2)
    assert str(AsteriskVersion(22, 10, 1)) == "22.10.1"


def test_private_roots_are_kept_where_the_user_keeps_caches(tmp_path: Path) -> None:
    assert cache_folder({"XDG_CACHE_HOME": str(tmp_path)}) == tmp_path / "ringback" / "pbx"


def test_an_asterisk_that_is_named_and_not_there_is_an_error_and_not_passed_over(tmp_path: Path) -> None:
    with pytest.raises(AsteriskMissingError, match="has no usr/sbin/asterisk"):
        find_asterisk(progress=print, environment={"RINGBACK_ASTERISK": str(tmp_path)})
    with pytest.raises(AsteriskMissingError, match="is no Asterisk 18 or newer"):
        find_asterisk(progress=print, environment={"RINGBACK_ASTERISK": "/bin/true"})


def test_a_suite_is_a_name_and_nothing_else() -> None:
    with pytest.raises(AsteriskMissingError, match="is no name of a Debian suite"):
        find_asterisk(progress=print, suite="sid main\ndeb http://evil.example/debian sid")


def test_looking_fetches_nothing(tmp_path: Path) -> None:
    assert find_ready(suite="forky", environment={"XDG_CACHE_HOME": str(tmp_path)}) is None
    assert list(tmp_path.iterdir()) == []
