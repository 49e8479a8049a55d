"""Callers who cannot or may not be contacted: recorded, and nothing more. They hear an apology that promises nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.brokerage import MAIN, UNLISTED, Brokerage
from tests.e2e.hearing import heard_whole
from tests.e2e.scenes import quiet

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]

BLOCKED = "+13055550666"
MOBILE_OF_AN_AGENT = "+13055550181"


@pytest.mark.parametrize(
    ("shown", "kind", "rule"),
    [
        ("Restricted", "withheld", "ELG-04"),
        ("+1305555", "malformed", "ELG-04"),
        ("12345", "malformed", "ELG-04"),
        (MOBILE_OF_AN_AGENT, "internal", "ELG-01"),
        (BLOCKED, "ordinary", "ELG-02"),
    ],
)
async def test_a_caller_whom_we_may_not_contact_is_recorded_with_the_reason_and_not_followed_up(
    brokerage: Brokerage, shown: str, kind: str, rule: str
) -> None:
    before = brokerage.now
    async with brokerage.mobile(shown) as mobile:
        mobile.call(brokerage.dial(MAIN))
        missed = await brokerage.event("CallMissed", after=before)
        await mobile.heard("answered")
        mobile.hang_up()
        await brokerage.event("CallerLeft", after=before)
    assert (missed.body["kind"], missed.lead_id) == (kind, None)
    assert brokerage.reasons(missed) == [("plan", "refused", rule)]
    assert brokerage.ordered_by(missed) == []


async def test_such_a_caller_hears_an_apology_and_not_the_notice_which_would_not_be_true(
    brokerage: Brokerage, tmp_path: Path
) -> None:
    before, recorded = brokerage.now, tmp_path / "heard.wav"
    async with brokerage.mobile("anonymous", record=str(recorded)) as mobile:
        mobile.call(brokerage.dial(MAIN))
        await mobile.heard("answered")
        await mobile.heard("ended", within=15.0)  # by itself
        await brokerage.event("CallerLeft", after=before)
    assert await heard_whole(recorded, brokerage.sounds / "missed_call_plain.wav") > 0.85
    assert await heard_whole(recorded, brokerage.sounds / "missed_call_notice.wav") < 0.8
    assert brokerage.events("PromptPlayed", after=before) == []


async def test_a_number_of_another_country_is_a_lead_for_people_and_not_for_machines(brokerage: Brokerage) -> None:
    abroad = "+442079460123"
    async with brokerage.mobile(abroad) as mobile:
        mobile.call(brokerage.dial(MAIN))
        missed = await brokerage.event("CallMissed", caller=abroad)
        await mobile.heard("answered")
        mobile.hang_up()
        await brokerage.mail(abroad, "Missed call")
    assert missed.body["kind"] == "foreign"
    assert missed.lead_id is not None
    assert ("text", "refused", "GEO-07") in brokerage.decisions(missed.lead_id)
    assert brokerage.smsc.to(abroad) == []
    assert brokerage.orders(abroad, "callback") == []


async def test_a_number_that_the_settings_do_not_know_rings_all_phones_by_the_dialplan(
    brokerage: Brokerage, caller: str
) -> None:
    async with (
        brokerage.desk_phone("101") as first,
        brokerage.desk_phone("102", answer_after=0.3) as second,
        brokerage.mobile(caller) as mobile,
    ):
        mobile.call(brokerage.dial(UNLISTED))
        await first.heard("incoming")
        await second.heard("answered")
        await mobile.heard("answered")
        mobile.hang_up()
        closed = await brokerage.event("CallClosed", caller=caller)
    assert (closed.body["verdict"], closed.body["entry"]) == ("unrouted", None)
    await quiet(brokerage, caller)
