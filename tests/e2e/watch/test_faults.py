"""The link to AMI and Asterisk itself fail in the middle of calls: still one verdict each, and none that nobody saw."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import pytest

from ari_app.pbx.ami_link import AmiTiming
from ari_app.recovery.events import CallAnswered, CallMissed
from ari_app.recovery.values import Verdict
from tests.e2e.watch.foreign import FREEPBX, PLAIN, ForeignPbx
from tests.e2e.watch.phones import desks, one_verdict, rings, talk
from tests.e2e.watch.watching import watching
from tests.support.tcp_proxy import TcpProxy
from tests.support.waiting import until

pytestmark = pytest.mark.e2e

GROUP = [pytest.param(PLAIN, "13055550201", id="plain"), pytest.param(FREEPBX, "13055550306", id="freepbx")]
QUICK = AmiTiming(ping_every=0.5, answer_within=0.5)


def port_of(proxy: TcpProxy) -> int:
    port = urlsplit(proxy.url).port
    assert port is not None
    return port


@pytest.mark.parametrize(("ip", "number"), GROUP)
async def test_a_cut_link_in_the_middle_of_ringing_loses_nothing(
    pbx: ForeignPbx, tmp_path: Path, ip: str, number: str
) -> None:
    async with (
        TcpProxy("127.0.0.1", pbx.ami) as proxy,
        desks(pbx, "101"),
        watching(pbx, tmp_path, port=port_of(proxy)) as seen,
        pbx.caller(ip) as caller,
    ):
        caller.call(pbx.dial(number))
        await until(lambda: rings(seen) >= 1, what="the first ring")
        proxy.cut()
        await until(lambda: not seen.supervisor.connected, what="the cut to be noticed")
        missed = await seen.verdict()
        assert (missed.verdict, missed.rings) == (Verdict.NO_ANSWER, 3)
        caller.hang_up()
        await one_verdict(seen)
        assert proxy.accepted >= 2


@pytest.mark.parametrize(("ip", "number"), GROUP)
async def test_an_answer_that_nobody_saw_is_found_when_the_link_is_back(
    pbx: ForeignPbx, tmp_path: Path, ip: str, number: str
) -> None:
    async with (
        TcpProxy("127.0.0.1", pbx.ami) as proxy,
        desks(pbx, "101") as [desk],
        watching(pbx, tmp_path, port=port_of(proxy)) as seen,
        pbx.caller(ip) as caller,
    ):
        caller.call(pbx.dial(number))
        await until(lambda: rings(seen) >= 0.5, what="ringing")
        proxy.refusing = True
        proxy.cut()
        await until(lambda: not seen.supervisor.connected, what="the cut to be noticed")
        desk.answer()
        await caller.heard("answered")
        await talk(3.0)
        assert not seen.verdicts(), "who is blind does not judge"
        proxy.refusing = False
        await seen.heard(CallAnswered)
        caller.hang_up()
        verdict = await one_verdict(seen)
    assert (verdict.verdict, seen.answered_by()) == (Verdict.ANSWERED, ["101"])


async def test_a_call_that_ends_unseen_is_unknown_and_not_guessed(pbx: ForeignPbx, tmp_path: Path) -> None:
    async with (
        TcpProxy("127.0.0.1", pbx.ami) as proxy,
        desks(pbx, "101"),
        watching(pbx, tmp_path, port=port_of(proxy)) as seen,
        pbx.caller(PLAIN) as caller,
    ):
        caller.call(pbx.dial("13055550201"))
        await until(lambda: rings(seen) >= 0.5, what="ringing")
        proxy.refusing = True
        proxy.cut()
        await until(lambda: not seen.supervisor.connected, what="the cut to be noticed")
        caller.hang_up()
        await caller.heard("ended")
        proxy.refusing = False
        verdict = await one_verdict(seen)
    assert isinstance(verdict, CallMissed)  # not that we know: a person is told, and nobody texted
    assert verdict.verdict is Verdict.UNKNOWN


async def test_a_link_that_goes_silent_is_noticed_and_replaced(pbx: ForeignPbx, tmp_path: Path) -> None:
    async with (
        TcpProxy("127.0.0.1", pbx.ami) as proxy,
        desks(pbx, "101"),
        watching(pbx, tmp_path, port=port_of(proxy), timing=QUICK) as seen,
        pbx.caller(PLAIN) as caller,
    ):
        caller.call(pbx.dial("13055550201"))
        await until(lambda: rings(seen) >= 0.5, what="ringing")
        proxy.freeze()
        await until(lambda: not seen.supervisor.connected, what="the silence to be noticed")
        proxy.thaw()
        missed = await seen.verdict()
        assert missed.verdict is Verdict.NO_ANSWER
        caller.hang_up()
        await one_verdict(seen)


@pytest.mark.parametrize(("ip", "number"), GROUP)
async def test_a_call_that_is_under_way_when_we_come_is_judged(
    pbx: ForeignPbx, tmp_path: Path, ip: str, number: str
) -> None:
    async with desks(pbx, "101") as [desk], pbx.caller(ip) as caller:
        caller.call(pbx.dial(number))
        await desk.heard("incoming")
        async with watching(pbx, tmp_path) as seen:
            missed = await seen.verdict()
            assert (missed.verdict, missed.dialled, missed.caller) == (
                Verdict.NO_ANSWER,
                f"+{number}",
                "+13055550123",
            )
            caller.hang_up()
            await one_verdict(seen)


@pytest.mark.parametrize(("ip", "number"), GROUP)
async def test_a_conversation_that_is_under_way_when_we_come_is_an_answered_call(
    pbx: ForeignPbx, tmp_path: Path, ip: str, number: str
) -> None:
    async with desks(pbx, "101", answer_after=0.1), pbx.caller(ip) as caller:
        caller.call(pbx.dial(number))
        await caller.heard("answered")
        async with watching(pbx, tmp_path) as seen:
            await seen.heard(CallAnswered)
            await talk(0.8)
            caller.hang_up()
            verdict = await one_verdict(seen)
    assert (verdict.verdict, seen.answered_by()) == (Verdict.ANSWERED, ["101"])


async def test_an_asterisk_that_restarts_under_a_ringing_call_leaves_one_verdict_and_new_calls_are_seen(
    pbx: ForeignPbx, tmp_path: Path
) -> None:
    async with watching(pbx, tmp_path) as seen:
        async with desks(pbx, "101"), pbx.caller(PLAIN) as caller:
            caller.call(pbx.dial("13055550201"))
            await until(lambda: rings(seen) >= 1.2, what="the second ring")
            pbx.kill()
            await until(lambda: not seen.supervisor.connected, what="Asterisk to be gone")
        pbx.start()  # on this thread: the kernel ends a child with the thread that started it
        await until(lambda: seen.supervisor.connected, within=3.0, what="to be back in step")
        verdict = await one_verdict(seen)
        assert isinstance(verdict, CallMissed)
        assert (verdict.verdict, verdict.rings, verdict.on_line) == (Verdict.ABANDONED, 1, False)
        async with pbx.caller(PLAIN) as caller:
            caller.call(pbx.dial("13055550201"))
            assert (await seen.verdict(count=2)).verdict is Verdict.UNREACHABLE
            caller.hang_up()
            await seen.over()
    # The phone that Asterisk still believes in never rang: the event log cannot tell that from ringing.
    pbx.watched_by.clear()
