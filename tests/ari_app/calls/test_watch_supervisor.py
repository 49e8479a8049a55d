"""The shell of watching: events in, facts in the journal, one timer; and who is on the line with us."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ari_app.calls.watch_state import WatchRules
from ari_app.calls.watch_supervisor import WatchSupervisor
from ari_app.clock import SystemClock
from ari_app.pbx.ami_link import AmiConnected, AmiDisconnected, AmiEventRefused, LinkEvent
from ari_app.pbx.ami_messages import (
    AmiChannel,
    ChannelRow,
    DialBegan,
    Executed,
    HangupRequested,
    HungUp,
    MessageWaiting,
    NewChannel,
    NewState,
)
from ari_app.recovery.events import CallMissed, Event
from ari_app.recovery.values import NumberKind
from ari_app.runtime.recorder import PolicyInForce, Recorder
from ari_app.settings.watching import WatchSection
from ari_app.store.db import prepare
from ari_app.store.stores import ThreadedStore
from tests.support.office import settings
from tests.support.waiting import until

CALLER, MAIN = "+13055550123", "13055550100"
READY = AmiConnected("22.10.1", (), restarted=False)


def channel(uniqueid: str, state: str = "Down", **changes: str) -> AmiChannel:
    given = {
        "linkedid": "1.0",
        "name": f"PJSIP/101-{uniqueid}",
        "context": "from-internal",
        "exten": "s",
        "caller_number": "101",
        "caller_name": "",
    }
    return AmiChannel(uniqueid=uniqueid, state=state, **{**given, **changes})


def inbound(**changes: str) -> AmiChannel:
    given = {"name": "PJSIP/carrier-0", "context": "from-trunk", "exten": MAIN, "caller_number": CALLER}
    return channel("1.0", "Ring", **{**given, **changes})


@dataclass
class Shell:
    """A supervisor that runs, and what came of what it was told."""

    supervisor: WatchSupervisor
    facts: list[Event] = field(default_factory=list)
    line: list[str] = field(default_factory=list)

    def hear(self, *events: LinkEvent) -> None:
        for event in events:
            self.supervisor.deliver(event)

    def story(self) -> list[str]:
        return [type(fact).__name__ for fact in self.facts]


@contextlib.asynccontextmanager
async def shell(folder: Path) -> AsyncIterator[Shell]:
    """Rings of 0.05 s in the office's settings."""
    office = settings(folder, ("quiet_hours:", "cadence: {ring_seconds: 0.05, first_ring: 0.2s}\nquiet_hours:"))
    path = folder / "books.db"
    prepare(path)
    clock = SystemClock()
    async with ThreadedStore(path) as store:
        recorder = Recorder(store, clock, PolicyInForce(office.policy, "{}"))
        line: list[str] = []
        supervisor = WatchSupervisor(
            recorder,
            clock,
            WatchSection(),
            WatchRules(),
            arrived=lambda number: line.append(f"on {number}"),
            left=lambda number: line.append(f"off {number}"),
        )
        told = Shell(supervisor, line=line)
        recorder.listen(lambda recorded: told.facts.append(recorded.event))
        async with asyncio.TaskGroup() as group:
            running = group.create_task(supervisor.run())
            try:
                yield told
            finally:
                running.cancel()


async def test_a_ringing_call_is_missed_by_the_clock_alone_and_the_line_is_known(tmp_path: Path) -> None:
    async with shell(tmp_path) as told:
        told.hear(READY, NewChannel(inbound()), DialBegan(inbound(), channel("1.1"), "101"))
        assert (told.supervisor.calls, told.line) == (1, [f"on {CALLER}"])
        told.hear(NewState(channel("1.1", "Ringing")))
        await until(lambda: told.facts, what="the verdict")
        told.hear(HangupRequested(inbound()), HungUp(inbound(), 16))
        await told.supervisor.written()
        assert told.story() == ["CallMissed", "CallerLeft"]
        assert (told.supervisor.calls, told.line) == (0, [f"on {CALLER}", f"off {CALLER}"])


async def test_a_call_is_held_until_all_of_it_is_written_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ari_app.calls.watch_supervisor.LINGER_SECONDS", 0.0)
    async with shell(tmp_path) as told:
        written = asyncio.Event()

        async def insist(_: Event) -> None:
            await written.wait()

        monkeypatch.setattr(told.supervisor._recorder, "insist", insist)
        told.hear(READY, NewChannel(inbound()), HungUp(inbound(), 16))
        await until(lambda: not told.supervisor._calls, what="the end of the watching")
        assert told.supervisor.holds("1.0"), "the event log must not overtake it"
        written.set()
        await told.supervisor.written()
        assert not told.supervisor.holds("1.0")


async def test_a_message_is_told_of_a_call_that_is_just_over(tmp_path: Path) -> None:
    async with shell(tmp_path) as told:
        told.hear(READY, NewChannel(inbound()), Executed(inbound(), "VoiceMail", "101@default,u"))
        told.hear(HungUp(inbound(), 16), MessageWaiting("1.0", "101@default", 1))
        await until(lambda: len(told.facts) == 3, what="all facts")
        assert told.story() == ["CallMissed", "CallerLeft", "VoicemailLeft"]


async def test_a_number_that_only_the_dialplan_knows_is_taken_when_it_shows(tmp_path: Path) -> None:
    async with shell(tmp_path) as told:
        told.hear(READY, NewChannel(inbound(exten="s")))
        told.hear(Executed(inbound(exten=MAIN, context="from-trunk"), "Dial", "PJSIP/101"))
        told.hear(HungUp(inbound(), 19))
        await until(lambda: told.facts, what="the verdict")
        missed = told.facts[0]
        assert (type(missed).__name__, getattr(missed, "dialled", "")) == ("CallMissed", f"+{MAIN}")


async def test_a_number_that_the_dialplan_finds_out_is_the_one_that_was_dialled(tmp_path: Path) -> None:
    async with shell(tmp_path) as told:
        told.hear(READY, NewChannel(inbound(exten="account-17", context="from-pstn-toheader")))
        told.hear(DialBegan(inbound(exten="s", context="macro-dial", did=MAIN), channel("1.1"), "101"))
        told.hear(HungUp(inbound(exten="s", did=MAIN), 19))
        await until(lambda: told.facts, what="the verdict")
        missed = told.facts[0]
        assert (type(missed).__name__, getattr(missed, "dialled", "")) == ("CallMissed", f"+{MAIN}")


@pytest.mark.parametrize("shown_first", [True, False])
async def test_a_number_that_the_caller_withholds_is_recorded_by_nobody(tmp_path: Path, shown_first: bool) -> None:
    hidden = inbound(presentation="prohib_passed_screen", caller_name="ANN LEE")
    first = inbound(presentation="allowed_not_screened", caller_name="ANN LEE") if shown_first else hidden
    async with shell(tmp_path) as told:
        told.hear(READY, NewChannel(first), Executed(hidden, "VoiceMail", "101@default"), HungUp(hidden, 16))
        await until(lambda: len(told.facts) == 2, what="all facts")
        missed = told.facts[0]
        assert isinstance(missed, CallMissed)
        assert (missed.kind, missed.caller, missed.caller_name) == (NumberKind.WITHHELD, None, None)
        assert told.line == ([f"on {CALLER}", f"off {CALLER}"] if shown_first else [])


async def test_a_number_that_freepbx_shows_to_its_own_phones_stays_withheld(tmp_path: Path) -> None:
    allowed = inbound(presentation="allowed_not_screened prohib_passed_screen")
    rows = (ChannelRow(allowed, MAIN, "", "Dial", "PJSIP/101", 9),)
    async with shell(tmp_path) as told:
        told.hear(READY, NewChannel(inbound(presentation="allowed_not_screened")))
        told.hear(AmiDisconnected("cut", 0.1, refused=False), AmiConnected("22.10.1", rows, restarted=False))
        told.hear(HungUp(allowed, 16))
        await until(lambda: told.facts, what="the verdict")
        assert getattr(told.facts[0], "kind", None) is NumberKind.WITHHELD


async def test_calls_under_way_are_taken_up_by_the_number_they_came_with(tmp_path: Path) -> None:
    rows = (
        ChannelRow(inbound(context="macro-dial", exten="s"), MAIN, "", "Dial", "PJSIP/101", 9),
        ChannelRow(channel("1.1", "Ringing"), "", "", "AppDial", "(Outgoing Line)", 8),
        ChannelRow(channel("2.0", "Up", linkedid="2.0"), "102", "", "Dial", "PJSIP/102", 5),
        ChannelRow(channel("3.0", "Up", linkedid="3.0", name="Local/1@x-0;2"), MAIN, "", "Dial", "", 5),
    )
    by_dialplan = channel("4.0", "Ring", linkedid="4.0", name="PJSIP/carrier-9", did=MAIN)
    async with shell(tmp_path) as told:
        told.hear(
            AmiConnected("22.10.1", (*rows, ChannelRow(by_dialplan, "account", "", "Wait", "", 2)), restarted=False)
        )
        assert [call.setup.dialled for call in told.supervisor.under_way] == [f"+{MAIN}"] * 2
        await until(lambda: told.facts, what="the verdict")
        assert told.story() == ["CallMissed"]


async def test_who_is_blind_waits_and_who_was_refused_says_so(tmp_path: Path) -> None:
    async with shell(tmp_path) as told:
        told.hear(READY, NewChannel(inbound()), DialBegan(inbound(), channel("1.1"), "101"))
        told.hear(NewState(channel("1.1", "Ringing")), AmiDisconnected("cut", 0.1, refused=False))
        assert not told.supervisor.connected
        told.hear(AmiDisconnected("Login: Authentication failed", 30.0, refused=True))
        assert told.supervisor.refused == "Login: Authentication failed"
        assert [call.deadline for call in told.supervisor.under_way] == [None]
        told.hear(AmiConnected("22.10.1", (), restarted=False))
        assert told.supervisor.refused is None
        await until(lambda: told.facts, what="the verdict")
        assert told.story() == ["CallMissed"], "nobody saw how it ended: a person has to know"


async def test_a_message_that_cannot_be_understood_ends_nothing(tmp_path: Path) -> None:
    async with shell(tmp_path) as told:
        told.hear(READY, AmiEventRefused("Hangup: cause: expected a number"), NewChannel(inbound()))
        assert told.supervisor.calls == 1
        told.hear(HungUp(inbound(), 16))
        await until(lambda: told.facts, what="the verdict")
