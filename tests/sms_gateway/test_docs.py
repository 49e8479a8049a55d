"""The page for IT staff says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

from sms_gateway.__main__ import command_line
from sms_gateway.smpp.options import LinkOptions, TlsOptions

PAGE = (Path(__file__).parents[2] / "docs" / "sms-gateway.md").read_text()
TABLE = [line.split("|")[1:5] for line in PAGE.splitlines() if line.startswith("| `")]


def test_every_option_is_on_the_page_and_nothing_else() -> None:
    named = {name for row in TABLE for name in re.findall(r"`([a-z0-9_]+)`", row[0])}
    assert named == set(LinkOptions.__dataclass_fields__) - {"long_password"}
    assert "`long_password`" in PAGE
    assert all(f"`{name}`" in PAGE for name in TlsOptions.__dataclass_fields__)


def test_the_defaults_on_the_page_are_those_of_the_code() -> None:
    options = LinkOptions(host="a", port=1, system_id="b", password="c")
    said = {}
    for names, _, values, _ in TABLE:
        for name, value in zip(re.findall(r"`([a-z0-9_]+)`", names), values.split(", "), strict=False):
            said[name] = value.strip().strip("`")
    for name in ("window", "rate_per_second", "response_seconds", "enquire_seconds", "connect_seconds", "stop_seconds"):
        assert float(said[name]) == getattr(options, name), name
    for name in ("parts_seconds", "parts_hold_seconds", "redelivery_seconds", "max_segments", "throttle_seconds"):
        assert float(said[name]) == getattr(options, name), name
    for name in ("bind", "default_alphabet", "ia5_alphabet", "segmentation", "receipt_id_base"):
        assert said[name] == getattr(options, name).value, name
    assert float(said["validity_seconds"].replace(",", "")) == options.validity_seconds
    assert int(said["redeliver_status"], 16) == options.redeliver_status


def test_the_commands_options_on_the_page_exist() -> None:
    help_text = command_line().format_help()
    for option in set(re.findall(r"`?(--[a-z][a-z-]+)", PAGE)):
        assert option in help_text, option
