"""How times, hours, names and secrets are written, and what becomes of them."""

from __future__ import annotations

import math
import os
import re
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ari_app.settings.brokerage import Schedule, parse_clock, parse_spans, write_spans
from ari_app.settings.check import check
from ari_app.settings.document import Document
from ari_app.settings.loading import Settings, load
from ari_app.settings.model import (
    LONGEST_SECONDS,
    Secret,
    SecretUnavailableError,
    parse_duration,
    write_duration,
)
from ari_app.settings.numbers import read_pattern
from ari_app.settings.pbx import Listener
from ari_app.settings.problem import SettingsError, nearest
from ari_app.settings.secrets import SecretStore
from ari_app.settings.yaml_source import read

OFFICE = (Path(__file__).parent / "brokerage.yaml").read_text(encoding="utf-8")


def settings(folder: Path, *pairs: tuple[str, str]) -> Settings:
    text = OFFICE
    for old, new in pairs:
        assert old in text, old
        text = text.replace(old, new, 1)
    path = folder / "ringback.yaml"
    path.write_text(text, encoding="utf-8")
    return load(path)


# --------------------------------------------------------------------------------------------------------------- times
@pytest.mark.parametrize(
    ("text", "seconds"),
    [("18s", 18), ("10m", 600), ("1.5h", 5400), ("200ms", 0.2), (" 2 d ", 172800), (7, 7), (0.5, 0.5)],
)
def test_a_duration_is_a_number_and_its_unit(text: object, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["10", "10 minutes", "m", "-5s", "1h30m", "", "1e3s", True])
def test_anything_else_is_no_duration(text: object) -> None:
    with pytest.raises(ValueError, match=r"expected a duration such as 18s, 10m, 1\.5h or 200ms"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("3651d", "'3651d'"),
        ("9999999d", "'9999999d'"),
        ("9" * 400 + "d", "'9"),
        (10**400, "1000"),
        (LONGEST_SECONDS + 1, "315360001.0"),
        (math.inf, "inf"),
        (math.nan, "nan"),
    ],
)
def test_more_than_ten_years_is_a_slip(value: object, found: str) -> None:
    with pytest.raises(ValueError, match=rf"^found {found}.*, expected at most 3650d$"):
        parse_duration(value)


def test_ten_years_are_a_duration() -> None:
    assert parse_duration("3650d") == LONGEST_SECONDS
    assert write_duration(LONGEST_SECONDS) == "3650d"


@given(st.integers(1, 10_000_000).map(lambda thousandths: thousandths / 1000))
def test_a_duration_is_read_as_it_was_written(seconds: float) -> None:
    assert parse_duration(write_duration(seconds)) == pytest.approx(seconds, rel=1e-5)


@pytest.mark.parametrize(("text", "minutes"), [("9:00", 540), ("09:05", 545), ("24:00", 1440), ("0:00", 0)])
def test_a_time_of_day(text: str, minutes: int) -> None:
    assert parse_clock(text) == minutes


@pytest.mark.parametrize("text", ["24:01", "9", "9:5", "25:00", "9:60", "noon"])
def test_anything_else_is_no_time_of_day(text: str) -> None:
    with pytest.raises(ValueError, match="expected a time of day"):
        parse_clock(text)


@pytest.mark.parametrize(
    ("written", "spans"),
    [
        ("closed", ()),
        ("9:00-18:00", ((540, 1080),)),
        (["9:00-12:00", "13:00-17:30"], ((540, 720), (780, 1050))),
        ("22:00-24:00", ((1320, 1440),)),
    ],
)
def test_spans_of_a_day_are_read_as_they_are_written(written: object, spans: tuple[tuple[int, int], ...]) -> None:
    assert parse_spans(written) == spans
    assert write_spans(spans) == written


@pytest.mark.parametrize(
    ("written", "why"),
    [
        (["9:00-12:00", "11:00-17:00"], "'11:00-17:00' begins before the hours in front of it end"),
        ([5], "found 5; expected hours such as 9:00-18:00, or closed"),
        ("22:00-2:00", "expected the end after the beginning"),
    ],
)
def test_spans_that_cannot_be_are_refused(written: object, why: str) -> None:
    with pytest.raises(ValueError, match=re.escape(why)):
        parse_spans(written)


def test_days_are_named_one_by_one_in_lists_or_from_to() -> None:
    hours = Schedule.model_validate({"week": {"mon, wed": "9:00-10:00", "fri-sun": "11:00-12:00"}}).compile("UTC")
    assert [bool(spans) for spans in hours.week] == [True, False, True, False, True, True, True]
    with pytest.raises(ValueError, match="expected days in the order of the week, Monday first"):
        Schedule.model_validate({"week": {"sun-mon": "closed"}}).compile("UTC")


# --------------------------------------------------------------------------------------------------------------- names
@pytest.mark.parametrize(
    ("name", "names", "found"),
    [
        ("standrad", ["standard", "brief"], "did you mean 'standard'?"),
        ("acknowleged", ["acknowledged", "engaged"], "did you mean 'acknowledged'?"),
        ("xyz", ["standard", "brief"], None),
        ("", ["standard"], None),
    ],
)
def test_the_nearest_name_is_suggested_if_one_is_near(name: str, names: list[str], found: str | None) -> None:
    assert nearest(name, names) == found


def test_a_plus_in_front_of_a_pattern_may_stand_or_not() -> None:
    assert read_pattern("+13055550100").text == "13055550100"
    assert read_pattern("_+1NXX.").text == "_1NXX."
    with pytest.raises(ValueError, match="a plus can only stand in front"):
        read_pattern("_1+5.")


# ------------------------------------------------------------------------------------------------------------ findings
@pytest.mark.parametrize(
    ("pairs", "said"),
    [
        ([("text_routes: [{to: _1NXXNXXXXXX, via: sms}]\n", "")], "there are no text_routes: no text can leave"),
        ([('to: ["_1NXXNXXXXXX"], ', "")], "callback.to is empty: no callback will be placed"),
        (
            [("email: {host: 127.0.0.1, port: 2525, security: none, sender: ringback@harbor.example}\n", "")],
            "there is no email section: this cannot be sent",
        ),
        ([("crm: {file: {type: jsonl, file: leads.jsonl}}\n", "")], "there is no crm section: nothing is pushed"),
        ([('phones: {"101": {name: A}, "102": {name: B}, "103": {name: C}}\n', "")], None),
        ([("Are you buying or selling? STOP", "See www.harbor.example STOP")], "looks like spam to carriers (MSG-02)"),
        (
            [("{brokerage} (automated): sorry", "We (automated): sorry")],
            "the text does not name the {brokerage} (MSG-01)",
        ),
        ([('to: ["_1NXXNXXXXXX"]', 'to: ["_!"]')], "this lets callbacks go to every country"),
    ],
)
def test_more_that_will_surprise_somebody(tmp_path: Path, pairs: list[tuple[str, str]], said: str | None) -> None:
    if said is None:
        with pytest.raises(ValueError, match="expected one of the phones; there is none"):
            settings(tmp_path, *pairs)
        return
    assert any(said in warning.what for warning in settings(tmp_path, *pairs).warnings)


@pytest.mark.parametrize(
    ("pairs", "said"),
    [
        (
            [
                ('  cleo: {name: Floor, email: floor@harbor.example, phone: "103"}', "  floor: {name: Floor}"),
                ("[cleo]", "[floor]"),
            ],
            "is the name of a group as well",
        ),
        ([("  cleo: {", "  agent: {"), ("[cleo]", "[agent]")], "this name stands for the agent whom a lead was given"),
        (
            [("number_defaults: {office: miami,", "number_defaults: {after_miss: overflow, office: miami,")],
            "expected overflow to name the group",
        ),
        (
            [
                (", trunk: carrier}", "}"),
                ("trunks: {carrier:", "trunks: {other: {host: 127.0.0.1, match: [127.0.0.2]}, carrier:"),
            ],
            "there are 2 trunks: expected callback.trunk to name one",
        ),
        (
            [
                (
                    "{type: smpp, host: 127.0.0.1, port: 2775, system_id: ringback, password: {env: RINGBACK_TEST_SMPP}}",
                    "{type: sip, trunk: carier}",
                )
            ],
            "found 'carier', expected one of the trunks: carrier",
        ),
        ([("[ Back {open_time}.]", " Back {open_time}.")], "{open_time} is not always known"),
    ],
)
def test_more_that_cannot_be(tmp_path: Path, pairs: list[tuple[str, str]], said: str) -> None:
    with pytest.raises(SettingsError, match=re.escape(said)):
        settings(tmp_path, *pairs)


def test_merge_keys_and_anchors_spare_repetition(tmp_path: Path) -> None:
    path = tmp_path / "some.yaml"
    path.write_text(
        "a: &one {x: 1, y: 2}\nb: {<<: *one, y: 3}\nc: {<<: [{x: 5}, *one], z: 1.5}\nd: 0101\ne: 1_000\nf: .5x\n"
    )
    data = read(path).data
    assert data["b"] == {"x": 1, "y": 3}
    assert data["c"] == {"x": 5, "y": 2, "z": 1.5}
    assert (data["d"], data["e"], data["f"]) == ("0101", "1_000", ".5x"), "spelled as no number is, it stays text"


def test_settings_know_their_folders_and_places(tmp_path: Path) -> None:
    found = settings(tmp_path)
    assert found.base == tmp_path
    assert found.data_folder == tmp_path / "var"
    assert str(found.place(("numbers", "13055550107", "listing"))) == f"{tmp_path}/ringback.yaml:19:47"
    assert isinstance(found.document, Document)
    assert check(found.document, found.source) == list(found.warnings)


# ------------------------------------------------------------------------------------------------------------- secrets
def test_a_secret_is_read_from_the_environment_or_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RINGBACK_TEST_SECRET", "from the environment")
    (tmp_path / "secret").write_text("from a file\n")
    assert Secret(env="RINGBACK_TEST_SECRET").read(tmp_path) == "from the environment"
    assert Secret(file=Path("secret")).read(tmp_path) == "from a file"


@pytest.mark.parametrize(
    ("secret", "why"),
    [
        (Secret(env="RINGBACK_TEST_UNSET"), "environment variable RINGBACK_TEST_UNSET: is empty or not set"),
        (Secret(file=Path("nowhere")), "nowhere: No such file or directory"),
        (Secret(file=Path("empty")), "empty: is empty or not set"),
    ],
)
def test_a_secret_that_is_not_there_says_where_it_should_be(tmp_path: Path, secret: Secret, why: str) -> None:
    (tmp_path / "empty").write_text("\n")
    with pytest.raises(SecretUnavailableError) as caught:
        secret.read(tmp_path)
    assert str(caught.value).endswith(why)


def test_a_generated_secret_is_made_once_and_closed_to_others(tmp_path: Path) -> None:
    store = SecretStore(tmp_path / "secrets", tmp_path)
    first = store.resolve("ari", None)
    assert len(first) >= 32
    assert store.resolve("ari", None) == first
    assert store.resolve("phone-101", None) != first
    assert stat.S_IMODE((tmp_path / "secrets" / "ari").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "secrets").stat().st_mode) == 0o700
    assert sorted(os.listdir(tmp_path / "secrets")) == ["ari", "phone-101"]


def test_a_secret_of_our_own_choice_comes_first(tmp_path: Path) -> None:
    (tmp_path / "chosen").write_text("mine")
    assert SecretStore(tmp_path / "secrets", tmp_path).resolve("ari", Secret(file=Path("chosen"))) == "mine"
    assert not (tmp_path / "secrets").exists()


def test_an_empty_generated_secret_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "ari").write_text("\n")
    with pytest.raises(SecretUnavailableError, match="is empty: remove the file, and a new one is made"):
        SecretStore(tmp_path, tmp_path).resolve("ari", None)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SecretUnavailableError, match=r"generated secret .*file/secrets/ari"):
        SecretStore(tmp_path / "file" / "secrets", tmp_path).resolve("ari", None)


@pytest.mark.parametrize(
    ("host", "authority"),
    [("127.0.0.1", "127.0.0.1:8088"), ("pbx.example", "pbx.example:8088"), ("fd00::2", "[fd00::2]:8088")],
)
def test_where_asterisk_listens_stands_in_a_url(host: str, authority: str) -> None:
    assert Listener(host=host, port=8088).authority == authority
