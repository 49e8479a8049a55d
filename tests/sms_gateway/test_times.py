"""The two time formats."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sms_gateway.smpp.times import LONGEST_VALIDITY_SECONDS, absolute_time, relative_time


@pytest.mark.parametrize(
    ("seconds", "written"),
    [
        (14_400, "000000040000000R"),
        (1.9, "000000000001000R"),
        (86_400, "000001000000000R"),
        (90_061, "000001010101000R"),
        (30 * 86_400, "000100000000000R"),
        (LONGEST_VALIDITY_SECONDS, "010221000000000R"),
    ],
)
def test_the_relative_form(seconds: float, written: str) -> None:
    assert relative_time(seconds) == written


@pytest.mark.parametrize(
    ("written", "at"),
    [
        ("261123140506700+", datetime(2026, 11, 23, 14, 5, 6, 700_000, tzinfo=UTC)),
        ("261123140506020-", datetime(2026, 11, 23, 19, 5, 6, tzinfo=UTC)),
        ("261123140506022+", datetime(2026, 11, 23, 8, 35, 6, tzinfo=UTC)),
        ("261123140506096+", None),  # 24 hours are no zone
        ("261323140506000+", None),
        ("000000040000000R", None),
        ("2611231405", None),
        ("", None),
    ],
)
def test_the_absolute_form(written: str, at: datetime | None) -> None:
    assert absolute_time(written) == at


@given(st.text())
def test_anything_else_is_no_time(text: str) -> None:
    assert absolute_time(text) is None or len(text) == 16
