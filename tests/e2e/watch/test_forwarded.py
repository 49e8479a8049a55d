"""Calls that go on to a mobile: an answer there may be the mobile's own voicemail, and policy says what it is worth."""

from __future__ import annotations

from pathlib import Path

import pytest

from ari_app.calls.watch_state import WatchRules
from ari_app.recovery.events import CallAnswered, CallMissed
from ari_app.recovery.policy import Forwarded
from ari_app.recovery.values import Verdict
from tests.e2e.watch.foreign import FREEPBX, PLAIN, ForeignPbx
from tests.e2e.watch.phones import desks, one_verdict, talk
from tests.e2e.watch.watching import watching

pytestmark = pytest.mark.e2e

MOBILE = "+13055550177"
ANNOUNCED = "13055550212"
"""The plain PBX's: the mobile hears an announcement before it hears the caller."""
FORWARDED = [pytest.param(PLAIN, "13055550205", id="plain"), pytest.param(FREEPBX, "13055550304", id="freepbx")]


@pytest.mark.parametrize(("ip", "number"), [pytest.param(PLAIN, ANNOUNCED, id="announced"), FORWARDED[1]])
async def test_a_mobile_that_answers_for_a_moment_may_have_been_its_voicemail(
    pbx: ForeignPbx, tmp_path: Path, ip: str, number: str
) -> None:
    async with (
        watching(pbx, tmp_path) as seen,
        desks(pbx, "101"),
        pbx.mobile(ip, answer_after=0.1),
        pbx.caller(ip) as caller,
    ):
        caller.call(pbx.dial(number))
        await caller.heard("answered")
        await talk(1.0)
        caller.hang_up()
        verdict = await one_verdict(seen)
    assert isinstance(verdict, CallMissed)
    assert verdict.verdict is Verdict.NO_ANSWER
    assert not seen.answered_by()


@pytest.mark.parametrize(("ip", "number"), FORWARDED)
async def test_a_mobile_that_talks_for_long_enough_is_a_person(
    pbx: ForeignPbx, tmp_path: Path, ip: str, number: str
) -> None:
    async with (
        watching(pbx, tmp_path, rules=WatchRules(talk_seconds=1.0)) as seen,
        desks(pbx, "101"),
        pbx.mobile(ip, answer_after=0.1),
        pbx.caller(ip) as caller,
    ):
        caller.call(pbx.dial(number))
        await caller.heard("answered")
        await seen.heard(CallAnswered)
        caller.hang_up()
        verdict = await one_verdict(seen)
    assert (verdict.verdict, seen.answered_by()) == (Verdict.ANSWERED, [MOBILE])


async def test_a_mobile_that_is_trusted_has_answered_at_once(pbx: ForeignPbx, tmp_path: Path) -> None:
    rules = WatchRules(forwarded=Forwarded.TRUST)
    async with (
        watching(pbx, tmp_path, rules=rules) as seen,
        desks(pbx, "101"),
        pbx.mobile(PLAIN, answer_after=0.1),
        pbx.caller(PLAIN) as caller,
    ):
        caller.call(pbx.dial("13055550205"))
        await seen.heard(CallAnswered)
        await talk(0.8)
        caller.hang_up()
        verdict = await one_verdict(seen)
    assert verdict.verdict is Verdict.ANSWERED


async def test_who_presses_a_key_on_the_mobile_is_a_person_whatever_policy_says(
    pbx: ForeignPbx, tmp_path: Path
) -> None:
    rules = WatchRules(forwarded=Forwarded.DISTRUST)
    async with (
        watching(pbx, tmp_path, rules=rules) as seen,
        desks(pbx, "101"),
        pbx.mobile(FREEPBX, answer_after=0.1) as mobile,
        pbx.caller(FREEPBX) as caller,
    ):
        caller.call(pbx.dial("13055550305"))
        await mobile.heard("media")
        await talk(1.2)
        mobile.press("1")
        await seen.heard(CallAnswered)
        await talk(0.8)
        caller.hang_up()
        verdict = await one_verdict(seen)
    assert (verdict.verdict, seen.answered_by()) == (Verdict.ANSWERED, [MOBILE])


async def test_a_voicemail_that_presses_no_key_has_not_answered(pbx: ForeignPbx, tmp_path: Path) -> None:
    async with (
        watching(pbx, tmp_path) as seen,
        desks(pbx, "101"),
        pbx.mobile(FREEPBX, answer_after=0.1),
        pbx.caller(FREEPBX) as caller,
    ):
        caller.call(pbx.dial("13055550305"))
        missed = await seen.verdict()
        assert (missed.verdict, missed.rings) == (Verdict.NO_ANSWER, 3)
        caller.hang_up()
        await one_verdict(seen)
    assert not seen.answered_by()


async def test_followme_whose_mobile_presses_one_is_answered(pbx: ForeignPbx, tmp_path: Path) -> None:
    async with (
        watching(pbx, tmp_path) as seen,
        pbx.mobile(PLAIN, answer_after=0.1) as mobile,
        pbx.caller(PLAIN) as caller,
    ):
        caller.call(pbx.dial("13055550211"))
        await mobile.heard("media")
        await talk(3.2)  # it says who calls before it listens
        mobile.press("1")
        await seen.heard(CallAnswered)
        await talk(0.8)
        caller.hang_up()
        await one_verdict(seen)
    assert seen.story() == ["CallMissed", "CallAnswered", "CallerLeft"], "three rings of the tests are over by then"
    assert seen.answered_by() == [MOBILE]


async def test_followme_that_finds_nobody_is_a_miss(pbx: ForeignPbx, tmp_path: Path) -> None:
    async with watching(pbx, tmp_path) as seen, pbx.mobile(PLAIN), pbx.caller(PLAIN) as caller:
        caller.call(pbx.dial("13055550211"))
        missed = await seen.verdict()
        assert (missed.verdict, missed.rings) == (Verdict.NO_ANSWER, 3)
        caller.hang_up()
        await one_verdict(seen)
