"""``ringback reload`` while calls come in: a valid policy counts at once, an invalid one changes nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import orjson
import pytest
import pytest_asyncio

from tests.e2e.brokerage import LONG_RINGING, MAIN, Brokerage, open_brokerage
from tests.e2e.scenes import settled, verdict
from tests.support.waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]

NEW_NUMBER = "+13055550120"
WITH_A_NEW_DESK = (
    ('"103": {name: C, voicemail: true}}', '"103": {name: C, voicemail: true}, "104": {name: D}}'),
    ("  floor: {phones", '  new_desk: {phones: ["104"], agents: [bob]}\n  floor: {phones'),
    ('  "13055550100"', '  "13055550120": {group: new_desk}\n  "13055550100"'),
)


@pytest_asyncio.fixture(loop_scope="session")
async def own_brokerage() -> AsyncIterator[Brokerage]:
    """One whose settings a test may change."""
    async with open_brokerage() as brokerage:
        yield brokerage


async def test_a_new_number_with_a_new_phone_works_after_a_reload_with_and_without_ringback(
    own_brokerage: Brokerage, new_number: Callable[..., str]
) -> None:
    brokerage, caller, another = own_brokerage, new_number(), new_number()
    brokerage.change(*WITH_A_NEW_DESK)
    status, said = await brokerage.ringback("reload", "--json")
    answer = orjson.loads(said)
    assert status == 0, said
    assert answer["pbx"] == ["extensions.conf", "pjsip.conf"]
    assert answer["after_restart"] == []
    async with (
        brokerage.desk_phone("101") as old_desk,
        brokerage.desk_phone("104") as new_desk,
        brokerage.mobile(caller) as mobile,
        brokerage.mobile(another) as later,
    ):
        mobile.call(brokerage.dial(NEW_NUMBER))
        await new_desk.heard("incoming")
        new_desk.answer()
        await mobile.heard("answered")
        answered = await brokerage.event("CallAnswered", caller=caller)
        mobile.hang_up()
        await brokerage.event("CallClosed", caller=caller)
        await new_desk.heard("ended")

        assert await brokerage.stop_ringback() == 0
        later.call(brokerage.dial(NEW_NUMBER))
        await new_desk.heard("incoming")
        new_desk.answer()
        await later.heard("answered")
        later.hang_up()
        await new_desk.heard("ended")
        await old_desk.settle()
        assert "incoming" not in old_desk.story()
    assert (answered.body["by"], answered.body["entry"]) == ("104", "13055550120")


async def test_a_reload_does_not_disturb_a_call_that_rings_and_what_follows_is_by_the_new_policy(
    own_brokerage: Brokerage, caller: str
) -> None:
    brokerage = own_brokerage
    async with brokerage.desk_phone("101") as desk, brokerage.mobile(caller) as mobile:
        mobile.call(brokerage.dial(LONG_RINGING))  # three rings may be over before the command has begun
        await desk.heard("incoming")
        brokerage.change(("sorry we missed your", "so sorry that we missed your"), ("{rings: 6}", "{rings: 9}"))
        status, said = await brokerage.ringback("reload")
        assert status == 0, said
        assert "is in force" in said
        missed = await brokerage.event("CallMissed", caller=caller)
        await mobile.heard("answered")
        mobile.hang_up()
        await settled(brokerage, caller, "text")
    assert missed.body["rings"] == 6  # the call had begun under the old policy
    [text] = brokerage.smsc.to(caller)
    assert "so sorry that we missed your" in text.body


async def test_an_invalid_policy_is_refused_with_its_place_and_the_old_one_stays_in_force(
    own_brokerage: Brokerage, caller: str
) -> None:
    brokerage = own_brokerage
    before = await _policy(brokerage)
    async with brokerage.desk_phone("101") as desk, brokerage.mobile(caller) as mobile:
        mobile.call(brokerage.dial(MAIN))
        await desk.heard("incoming")
        brokerage.change(("plan: standard", "plan: standart"))
        status, said = await brokerage.ringback("reload")
        assert status == 2
        line = next(n for n, row in enumerate(brokerage.path.read_text().splitlines(), 1) if "standart" in row)
        assert f"{brokerage.path}:{line}:" in said
        assert "standart" in said
        brokerage.change(("plan: standart", "plan: standard"))  # the other commands need settings that can be read
        await brokerage.event("CallMissed", caller=caller)
        await mobile.heard("answered")
        mobile.hang_up()
        await settled(brokerage, caller, "text")
    assert await _policy(brokerage) == before
    assert verdict(brokerage, caller) == ["no_answer"]


async def test_settings_that_asterisk_s_files_cannot_hold_are_refused_before_anything_changes(
    own_brokerage: Brokerage,
) -> None:
    brokerage = own_brokerage
    before = await _policy(brokerage)
    dialplan = brokerage.folder / "data" / "pbx" / "etc" / "extensions.conf"
    rendered = dialplan.read_bytes()
    brokerage.change(*WITH_A_NEW_DESK, ("{name: D}", "{name: 'D;callerid=evil'}"))
    status, said = await brokerage.ringback("reload")
    assert status == 2
    assert "semicolon" in said
    assert await _policy(brokerage) == before
    assert dialplan.read_bytes() == rendered


async def test_what_only_a_restart_takes_over_is_named(own_brokerage: Brokerage) -> None:
    brokerage = own_brokerage
    brokerage.change(("keys_after: 0.5s", "keys_after: 0.7s"), ("ring: 15s", "ring: 16s"))
    status, said = await brokerage.ringback("reload")
    assert status == 0
    assert "taken over at the next start only: prompt, callback" in said


async def test_without_its_pbx_the_policy_counts_all_the_same(own_brokerage: Brokerage) -> None:
    brokerage = own_brokerage
    before = await _policy(brokerage)
    brokerage.asterisk.stop()
    brokerage.change(*WITH_A_NEW_DESK)
    status, said = await brokerage.ringback("reload", "--json")
    answer = orjson.loads(said)
    assert (status, answer["pbx"]) == (0, [])
    assert answer["after_restart"] == ["phones"]
    await until(lambda: answer["before"] == before != answer["now"])


async def _policy(brokerage: Brokerage) -> str:
    """The version of the policy in force."""
    _, said = await brokerage.ringback("status", "--json")
    version = orjson.loads(said)["policy"]
    assert isinstance(version, str)
    return version
