"""The machine's apt sources, read as apt reads them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ari_app.pbx.apt import AptSource, debian_mirror, parse_deb822, parse_one_line, read_sources
from ari_app.pbx.errors import AsteriskMissingError

DEB822 = """\
# the base system
Types: deb deb-src
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://mirror.example/debian-security
  http://second.example/debian-security
Suites: bookworm-security
Components: main
Enabled: yes

Types: deb
URIs: http://off.example/debian
Suites: sid
Components: main
Enabled: no

Types: deb-src
URIs: http://sources.example/debian
Suites: sid
Components: main
"""


def test_a_deb822_file_gives_each_address_of_its_enabled_binary_stanzas() -> None:
    assert parse_deb822(DEB822) == [
        AptSource(
            "http://mirror.example/debian",
            ("bookworm", "bookworm-updates"),
            "/usr/share/keyrings/debian-archive-keyring.gpg",
        ),
        AptSource("http://mirror.example/debian-security", ("bookworm-security",)),
        AptSource("http://second.example/debian-security", ("bookworm-security",)),
    ]


def test_a_key_written_into_the_stanza_itself_is_no_path() -> None:
    text = "Types: deb\nURIs: http://a.example/debian\nSuites: sid\nSigned-By:\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n"
    assert parse_deb822(text) == [AptSource("http://a.example/debian", ("sid",), None)]


@pytest.mark.parametrize(
    ("line", "source"),
    [
        ("deb http://a.example/debian bookworm main", AptSource("http://a.example/debian", ("bookworm",))),
        (
            "deb [arch=amd64 signed-by=/k.gpg] http://a.example/debian sid main contrib # comment",
            AptSource("http://a.example/debian", ("sid",), "/k.gpg"),
        ),
    ],
)
def test_a_one_line_source_is_read(line: str, source: AptSource) -> None:
    assert parse_one_line(line) == [source]


@pytest.mark.parametrize(
    "line", ["", "# deb http://a.example/debian sid main", "deb-src http://a.example/debian sid main"]
)
def test_comments_and_source_packages_are_passed_over(line: str) -> None:
    assert parse_one_line(line) == []


def test_both_forms_are_read_from_their_folders_in_order(tmp_path: Path) -> None:
    parts = tmp_path / "sources.list.d"
    parts.mkdir()
    (tmp_path / "sources.list").write_text("deb http://first.example/debian sid main\n")
    (parts / "b.list").write_text("deb http://third.example/debian sid main\n")
    (parts / "a.sources").write_text("Types: deb\nURIs: http://second.example/debian\nSuites: sid\n")
    (parts / "c.list.disabled").write_text("deb http://never.example/debian sid main\n")
    assert [source.uri.split("/")[2] for source in read_sources(tmp_path)] == [
        "first.example",
        "second.example",
        "third.example",
    ]


def test_the_debian_mirror_is_the_archive_and_not_its_security_part_or_a_stranger() -> None:
    sources = [
        AptSource("https://packages.example/apt", ("stable",)),
        AptSource("http://mirror.example/debian-security", ("bookworm-security",)),
        AptSource("http://mirror.example/debian/", ("bookworm",), "/k.gpg"),
    ]
    assert debian_mirror(sources, None).uri == "http://mirror.example/debian/"
    assert debian_mirror(sources, None).signed_by == "/k.gpg"


def test_what_the_operator_names_wins() -> None:
    sources = [AptSource("http://mirror.example/debian", ("bookworm",))]
    assert debian_mirror(sources, "http://mine.example/d").uri == "http://mine.example/d"


def test_without_a_debian_mirror_the_error_says_what_to_set() -> None:
    with pytest.raises(AsteriskMissingError, match="RINGBACK_DEBIAN_MIRROR"):
        debian_mirror([AptSource("http://archive.example/ubuntu", ("noble",))], None)


@given(st.text(max_size=400))
def test_no_text_in_a_sources_file_breaks_the_reader(text: str) -> None:
    for source in parse_deb822(text) + parse_one_line(text):
        assert source.uri
