"""``secrets.env`` says to a shell what it says to systemd, and to neither what it holds."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ari_app.settings.environment_file import EnvironmentFileError, parse, read
from ari_app.settings.model import Secret, SecretUnavailableError

NAME = "RINGBACK_TEST_BESIDE"
SECRET = Secret(env=NAME)


@pytest.fixture(autouse=True)
def _unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(NAME, raising=False)


@contextlib.contextmanager
def another_account(path: Path) -> Iterator[None]:
    """``path`` may not be read."""
    root = os.geteuid() == 0
    path.chmod(0)
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


# ------------------------------------------------------------------------------------------------------------- the syntax
@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("A=plain", "plain"),
        ("A=", ""),
        ("  A  =  with blanks around  ", "with blanks around"),
        ("A=pass#word;=$x", "pass#word;=$x"),
        ("A=word # no comment", "word # no comment"),
        ("A='single \\ \"quoted\" $x'", 'single \\ "quoted" $x'),
        ('A="double \\" \\\\ \\$ \\` \\n quoted"', 'double " \\ $ ` \\n quoted'),
        ("A='one'\"two\"three", "onetwothree"),
        ("A='kept  '  ", "kept  "),
        ("A=it's", "it's"),
        ("A=back\\slash\\\\", "backslash\\"),
        ("A=last\\ ", "last "),
        ("A=goes\\\non", "goeson"),
        ('A="goes\\\non"', "goeson"),
        ('A="two\nlines"', "two\nlines"),
        ("A=ended\\", "ended"),
        ("A=first\nA=second", "second"),
        ("A=unix\r\n", "unix"),
        ("A=Ünïcode", "Ünïcode"),
    ],
)
def test_a_value_is_what_systemd_makes_of_it(line: str, value: str) -> None:
    assert parse(line) == {"A": value}


def test_comments_and_empty_lines_are_passed_over() -> None:
    assert parse("# A=1\n\n  ; B=2\n\tC=3\n#") == {"C": "3"}


@pytest.mark.parametrize(
    ("text", "line", "why"),
    [
        ("A=1\nhunter2\n", 2, "expected NAME=VALUE, or # or ; before a comment"),
        ("A: hunter2", 1, "expected NAME=VALUE, or # or ; before a comment"),
        ("# fine\n\nexport A=hunter2", 3, "expected a name of letters, digits and _ before the ="),
        ("1A=hunter2", 1, "expected a name of letters, digits and _ before the ="),
        ("=hunter2", 1, "expected a name of letters, digits and _ before the ="),
        ("A=1\nB='hunter2\nC=3\n", 2, "expected the quote to be closed"),
        ('A="hunter2\\"', 1, "expected the quote to be closed"),
        (
            "A='hunter2' # ours",
            1,
            "expected the comment on a line of its own: systemd takes it for a part of the value",
        ),
    ],
)
def test_a_line_that_means_nothing_is_named_and_not_repeated(text: str, line: int, why: str) -> None:
    with pytest.raises(EnvironmentFileError) as caught:
        parse(text)
    assert (caught.value.line, caught.value.why) == (line, why)
    assert "hunter2" not in str(caught.value)


def test_another_encoding_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "secrets.env").write_bytes(b"A=1\nB=\xff\n")
    with pytest.raises(EnvironmentFileError, match="line 2: expected text in UTF-8"):
        read(tmp_path / "secrets.env")


@given(
    st.dictionaries(
        st.from_regex(r"[A-Z_][A-Z0-9_]{0,8}", fullmatch=True), st.text(st.characters(exclude_characters="'"))
    )
)
def test_what_is_quoted_comes_back(values: dict[str, str]) -> None:
    assert parse("".join(f"{name}='{value}'\n" for name, value in values.items())) == values


@given(st.text("Aa=#;'\"\\$ \t\r\n", max_size=30))
def test_whatever_stands_there_is_values_or_an_error_of_ours(text: str) -> None:
    with contextlib.suppress(EnvironmentFileError):
        parse(text)


# ------------------------------------------------------------------------------------------------------------- the secrets
def test_a_variable_that_is_not_set_is_found_beside_the_settings(tmp_path: Path) -> None:
    (tmp_path / "secrets.env").write_text(f"# the carrier's\n{NAME}='from the file'\n")
    assert SECRET.read(tmp_path) == "from the file"


def test_the_environment_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "secrets.env").write_text("a line that means nothing\n")
    monkeypatch.setenv(NAME, "from the environment")
    assert SECRET.read(tmp_path) == "from the environment"


@pytest.mark.parametrize("content", ["", "OTHER=1\n", f"{NAME}=\n"])
def test_a_file_that_lacks_it_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "secrets.env").write_text(content)
    with pytest.raises(SecretUnavailableError) as caught:
        SECRET.read(tmp_path)
    expected = f"environment variable {NAME}: is empty or not set, nor is it in {tmp_path}/secrets.env"
    assert str(caught.value) == expected


def test_a_malformed_file_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "secrets.env").write_text(f"{NAME}=hunter2\nhunter3\n")
    with pytest.raises(SecretUnavailableError) as caught:
        SECRET.read(tmp_path)
    expected = f"{tmp_path}/secrets.env:2: expected NAME=VALUE, or # or ; before a comment"
    assert str(caught.value) == expected


def test_a_file_that_only_root_may_read_is_no_fault_of_the_variable(tmp_path: Path) -> None:
    path = tmp_path / "secrets.env"
    path.write_text(f"{NAME}=hunter2\n")
    with another_account(path), pytest.raises(SecretUnavailableError, match="is closed to this account: ask as root"):
        SECRET.read(tmp_path)


def test_a_folder_in_its_place_says_so(tmp_path: Path) -> None:
    (tmp_path / "secrets.env").mkdir()
    with pytest.raises(SecretUnavailableError, match=r"secrets\.env cannot be read: Is a directory"):
        SECRET.read(tmp_path)
