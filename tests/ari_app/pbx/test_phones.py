"""The phones themselves: a tool that lies spoils every test that uses it."""

from __future__ import annotations

import pytest

from tests.support.asterisk import TestPbx
from tests.support.baresip import Baresip
from tests.support.phones import Phone, PhoneError

pytestmark = pytest.mark.e2e


async def test_a_phone_with_a_wrong_password_says_so_and_leaves_no_process(asterisk: TestPbx) -> None:
    phone = Phone("101", password="wrong", registrar=asterisk.sip)
    with pytest.raises(PhoneError, match="unregistered"):
        async with phone:
            pass
    assert "unregistered 401" in phone.story()
    assert phone.ended


async def test_a_baresip_that_cannot_register_leaves_no_process(asterisk: TestPbx) -> None:
    phone = Baresip("101", "wrong", asterisk.sip)
    with pytest.raises(PhoneError, match="could not register"):
        async with phone:
            pass
    assert phone.ended


async def test_an_order_that_makes_no_sense_is_refused_in_words(asterisk: TestPbx) -> None:
    async with asterisk.mobile() as mobile:
        mobile.press("1")
        with pytest.raises(PhoneError, match="there is no call"):
            await mobile.heard("dtmf")
