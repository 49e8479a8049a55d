"""Options are checked once, and every complaint is made at once."""

from __future__ import annotations

from typing import Any

import pytest

from sms_gateway.encoding import Alphabet
from sms_gateway.smpp import status
from sms_gateway.smpp.options import LinkOptions

FACTS: dict[str, Any] = {"host": "smsc.example", "port": 2775, "system_id": "ringback", "password": "secret"}


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"system_id": "x" * 16}, "system_id: 15 characters at most, 16 given"),
        ({"password": "x" * 9}, "password: 8 characters at most, 9 given"),
        ({"password": "x" * 64, "long_password": True}, "password: 63 characters at most, 64 given"),
        ({"system_type": "x" * 13}, "system_type: 12 characters at most"),
        ({"address_range": "x" * 41}, "address_range: 40 characters at most"),
        ({"password": "pä"}, "ASCII without NUL only"),
        ({"port": 0}, "port: 1 to 65535, 0 given"),
        ({"window": 0}, "window: 1 to 1000, 0 given"),
        ({"max_segments": 256}, "max_segments: 1 to 255, 256 given"),
        ({"redeliver_status": 0}, "redeliver_status: 0x08 or 0x14, 0x00 given"),
        ({"default_alphabet": Alphabet.UCS2}, "default_alphabet: UCS2 is never the default"),
        ({"response_seconds": 0}, "response_seconds: above 0, 0 given"),
        ({"source_ton": 256}, "source_ton: 0 to 255, 256 given"),
        ({"port": 0, "window": 0}, "port.*; window.*"),
    ],
)
def test_what_cannot_work_is_said(change: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        LinkOptions(**{**FACTS, **change})


def test_a_long_password_is_allowed_where_the_carrier_issued_one() -> None:
    assert len(LinkOptions(**{**FACTS, "password": "x" * 63, "long_password": True}).password) == 63


def test_the_password_does_not_show_in_a_representation() -> None:
    assert "secret" not in repr(LinkOptions(**FACTS))


def test_the_documentation_names_every_option() -> None:
    documented = LinkOptions.__doc__ or ""
    missing = [name for name in LinkOptions.__dataclass_fields__ if name not in documented]
    assert not missing


def test_a_status_is_named_with_what_to_do_and_unknown_ones_by_number() -> None:
    assert status.meaning(0x0E) == ("ESME_RINVPASWD", "the password is wrong")
    assert status.meaning(0x400).name == "status_0x00000400"
    assert [code for code in (0x08, 0x14, 0x45, 0x58, 0x64, 0x0A, 0x0B, 0x400) if not status.permanent(code)] == [
        0x08,
        0x14,
        0x45,
        0x58,
        0x64,
    ]
