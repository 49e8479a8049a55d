"""Asterisk restarted, unheard behind a half-open link, and with our application in the hands of another client."""

from __future__ import annotations

from pathlib import Path

import pytest

from ari_app.pbx.ari import Ari
from tests.e2e.brokerage import MAIN, NO_TEXT, RING_SECONDS, RINGS, Brokerage
from tests.e2e.crash.fragile import Fragile
from tests.e2e.scenes import missed_call, quiet, settled, verdict
from tests.support.tones import loudness, write_tone
from tests.support.waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]


async def test_asterisk_restarted_under_ringing_and_talking_people_leaves_one_verdict_for_each_and_calls_go_on(
    fragile: Fragile, caller: str, new_number: object
) -> None:
    brokerage = fragile.brokerage
    assert callable(new_number)
    talking, later = new_number(), new_number()
    async with (
        brokerage.desk_phone("101") as desk,
        brokerage.mobile(talking) as talker,
        brokerage.mobile(caller) as ringing,
    ):
        talker.call(brokerage.dial(NO_TEXT))
        await desk.heard("incoming")
        desk.answer()
        await talker.heard("answered")
        await brokerage.event("CallAnswered", caller=talking)
        ringing.call(brokerage.dial("+13055550102"))  # 101 is on the phone; 102 is not there; so the ringing is 101's
        await desk.heard("incoming")
        before = fragile.log_end
        fragile.kill_asterisk()
        await until(lambda: fragile.said("asterisk_lost", after=before), within=15.0, what="the loss to be noticed")
        await brokerage.start_pbx()
        await until(lambda: fragile.said("asterisk_connected", after=before), within=15.0, what="the new connection")
        assert fragile.said("asterisk_restarted", after=before) == 1
        for number in (talking, caller):
            await until(lambda number=number: verdict(brokerage, number), within=15.0, what="the verdict")  # type: ignore[misc]
    assert verdict(brokerage, talking) == ["answered"] or verdict(brokerage, talking) == ["dropped"]
    assert len(verdict(brokerage, caller)) == 1
    async with missed_call(brokerage, later) as mobile:
        mobile.hang_up()
        await settled(brokerage, later, "text")
    assert len(brokerage.smsc.to(later)) == 1
    assert len(brokerage.smsc.to(caller)) <= 1
    assert brokerage.smsc.to(talking) == []
    report = await fragile.audit()
    assert (report["findings"], report["under_way"]) == ([], 0)


async def test_a_link_that_is_cut_without_a_word_is_noticed_and_a_call_that_came_meanwhile_is_found(
    fragile: Fragile, caller: str
) -> None:
    brokerage, before = fragile.brokerage, fragile.log_end
    async with brokerage.mobile(caller) as mobile:
        fragile.ari.freeze()
        mobile.call(brokerage.dial(MAIN))  # Asterisk takes us for being there, and gives us the call
        await until(lambda: fragile.said("asterisk_lost", after=before), within=20.0, what="the silence to be noticed")
        assert "asterisk" not in brokerage.well()
        fragile.ari.cut()
        fragile.ari.thaw()
        await until(lambda: "asterisk" in brokerage.well(), within=20.0, what="the new connection")
        await until(lambda: verdict(brokerage, caller), within=20.0, what="the verdict")
        mobile.hang_up()
        await settled(brokerage, caller, "text")
    assert len(verdict(brokerage, caller)) == 1
    assert len(brokerage.smsc.to(caller)) == 1


async def test_a_phone_that_is_answered_behind_a_dead_link_is_put_through_and_nobody_is_missed(
    fragile: Fragile, caller: str, tmp_path: Path
) -> None:
    brokerage, before = fragile.brokerage, fragile.log_end
    heard = {name: tmp_path / f"{name}.wav" for name in ("desk", "mobile")}
    async with (
        brokerage.desk_phone("101", speak=str(write_tone(tmp_path / "700.wav", 700.0, 60.0))) as desk,
        brokerage.mobile(caller, speak=str(write_tone(tmp_path / "400.wav", 400.0, 60.0))) as mobile,
    ):
        mobile.call(brokerage.dial(MAIN))
        await desk.heard("incoming")
        fragile.ari.freeze()
        desk.answer()
        await until(lambda: fragile.said("asterisk_lost", after=before), within=20.0, what="the loss to be noticed")
        await brokerage.talk(RINGS * RING_SECONDS)  # three rings are over now
        assert verdict(brokerage, caller) == []
        fragile.ari.cut()
        fragile.ari.thaw()
        await brokerage.event("CallAnswered", caller=caller, within=20.0)
        await mobile.heard("media")
        desk.record(heard["desk"])
        mobile.record(heard["mobile"])
        await brokerage.talk(4.0)
        mobile.hang_up()
        await desk.heard("ended")
        await brokerage.event("CallClosed", caller=caller)
    assert verdict(brokerage, caller) == ["answered"]
    await quiet(brokerage, caller)
    assert loudness(heard["mobile"], 700.0) > 1000
    assert loudness(heard["desk"], 400.0) > 1000


async def test_a_phone_that_asterisk_hung_up_because_we_were_away_rings_again_for_the_caller_who_still_waits(
    fragile: Fragile, caller: str
) -> None:
    brokerage, before = fragile.brokerage, fragile.log_end
    async with brokerage.desk_phone("101") as desk, brokerage.mobile(caller) as mobile:
        mobile.call(brokerage.dial(MAIN))
        await desk.heard("incoming")
        fragile.ari.refusing = True
        fragile.ari.cut()
        await until(lambda: fragile.said("asterisk_lost", after=before), within=20.0, what="the loss to be noticed")
        desk.answer()
        await desk.heard("ended")
        fragile.ari.refusing = False
        await desk.heard("incoming", within=20.0)
        desk.answer()
        await brokerage.event("CallAnswered", caller=caller, within=20.0)
        await mobile.heard("media")
        await brokerage.talk(2.0)
        mobile.hang_up()
        await brokerage.event("CallClosed", caller=caller)
    assert verdict(brokerage, caller) == ["answered"]
    await quiet(brokerage, caller)


async def test_another_client_that_takes_our_application_is_loud_and_is_followed_when_it_leaves(
    fragile: Fragile, caller: str
) -> None:
    brokerage, before = fragile.brokerage, fragile.log_end
    async with _rival(brokerage) as rival, await rival.http.open_events(rival.application, close_within=0.5):
        await until(lambda: fragile.said("stasis_application_taken", after=before), what="the error in the log")
        assert b'"level": "error"' in brokerage.log_path.read_bytes()[before:]
        assert "asterisk" not in brokerage.well()
        assert brokerage.process is not None
        assert brokerage.process.returncode is None, "texts and the ledger still need it"
    await until(lambda: "asterisk" in brokerage.well(), within=30.0, what="ours again")
    async with missed_call(brokerage, caller) as mobile:
        mobile.hang_up()
        await settled(brokerage, caller, "text")


async def test_whoever_picks_up_a_phone_that_nobody_is_behind_is_not_left_in_silence(fragile: Fragile) -> None:
    brokerage, before = fragile.brokerage, fragile.log_end
    async with brokerage.desk_phone("101", answer_after=0.2) as desk, _rival(brokerage) as ari:
        await ari.channels.originate("PJSIP/101", channel="callback-999999.0-desk0", args=("desk", "999999.0"))
        await desk.heard("answered")
        await desk.heard("ended", within=5.0)
    assert fragile.said("orphan_hung_up", after=before) == 1


async def test_a_phone_that_rings_for_nobody_does_not_ring_on(fragile: Fragile) -> None:
    """A leg that came into being when everything had been looked through."""
    brokerage, before = fragile.brokerage, fragile.log_end
    async with brokerage.desk_phone("101") as desk, _rival(brokerage) as ari:
        await ari.channels.originate(
            "PJSIP/101", channel="ringback-1.1-leg0", args=("leg", "ringback-1.1"), ring_seconds=60
        )
        await desk.heard("incoming")
        await desk.heard("ended", code=487, within=30.0)
    assert fragile.said("orphan_hung_up", after=before) == 1


def _rival(brokerage: Brokerage) -> Ari:
    """Another program with the same application and password."""
    pbx = brokerage.settings.document.pbx
    password = brokerage.settings.secrets().resolve("ari", pbx.ari.secret)
    url = f"http://127.0.0.1:{brokerage.ports['http_port']}"
    return Ari(url, pbx.ari.user, password, application=pbx.app)
