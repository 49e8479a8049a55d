"""The test call of ``ringback attach --check``: the proof that what happens on a watched PBX is told to us.

It goes through a context of ours and rings nobody, unless an extension to ring is given.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

from ari_app.clock import SystemClock
from ari_app.doctor import Finding, Grade
from ari_app.pbx.ami_messages import (
    AmiEvent,
    BridgeEntered,
    ChannelEvent,
    DialBegan,
    DialEnded,
    DialProgressed,
    Executed,
    HungUp,
    NewChannel,
    NewState,
    QueueJoined,
    QueueLeft,
    UserEvent,
)
from ari_app.pbx.ari import Ari
from ari_app.pbx.errors import AriError, NotFoundError, RefusedError
from ari_app.pbx.ledger import Place, follow_cel

CHECK_CONTEXT = "ringback-check"
TEST_CALL_SECONDS = 8.0
RING_SECONDS = 8.0
EVENT_LOG_SECONDS = 5.0
SNIPPETS = "asterisk/attach"


@dataclass(frozen=True, slots=True)
class TestCall:
    """How the proof is made. ring: an extension whose phone shall ring, in ``context``; None for nobody's.

    wait_seconds: how long to wait for a test call that a person starts on the PBX, where there is no ARI to start it.
    """

    ring: str | None = None
    context: str = "from-internal"
    wait_seconds: float = 0.0


_KINDS: tuple[tuple[str, type[ChannelEvent] | tuple[type, ...], str], ...] = (
    ("channels", (NewChannel, HungUp), "call"),
    ("dials", (DialBegan, DialEnded), "call"),
    ("ringing", (NewState, DialProgressed), "call"),
    ("bridges", (BridgeEntered,), "call"),
    ("applications", (Executed,), "dialplan"),
    ("the dialplan's own words", (UserEvent,), "user"),
)
"""What a call has to show, and the class of AMI events (``read =``) that brings it."""


@dataclass(frozen=True, slots=True)
class Ear:
    """What AMI has told so far, and the news that there is more."""

    heard: list[AmiEvent]
    arrived: asyncio.Event

    async def until(self, enough: Callable[[list[AmiEvent]], bool], within: float) -> bool:
        """Whether enough is heard in time."""
        try:
            async with asyncio.timeout(within):
                while not enough(self.heard):
                    self.arrived.clear()
                    await self.arrived.wait()
        except TimeoutError:
            return False
        return True


async def prove(ari: Ari | None, call: TestCall, ear: Ear, *, queues: bool) -> AsyncIterator[Finding]:
    """queues: there are some on this PBX."""
    async for finding in _test_call(ari, call, ear):
        yield finding
        if finding.what == "test call" and finding.grade is Grade.OK:
            yield _presentation(ear.heard)
            if queues:
                yield _queue(ear.heard)


async def _test_call(ari: Ari | None, call: TestCall, ear: Ear) -> AsyncIterator[Finding]:
    if ari is None:
        order = f"asterisk -rx 'channel originate Local/call@{CHECK_CONTEXT}/n extension caller@{CHECK_CONTEXT}'"
        if call.wait_seconds <= 0:
            mend = f"ringback attach --check --wait 60, and on the PBX meanwhile: {order}"
            yield Finding("test call", Grade.WARNING, "not tried: without ARI a person has to start it", mend)
            return
        await ear.until(_over, call.wait_seconds)
        yield _seen(ear.heard, order)
        return
    channel = f"ringback-check-{os.getpid()}"
    try:
        await _originate(ari, channel, f"Local/call@{CHECK_CONTEXT}/n")
        await ear.until(_over, TEST_CALL_SECONDS)
        yield _seen(ear.heard, None)
    except RefusedError:
        yield Finding(
            "test call", Grade.FAILURE, "the ARI user is read-only", "set read_only = no for it, then reload res_ari.so"
        )
        return
    except AriError as error:
        yield Finding("test call", Grade.FAILURE, str(error), f"[{CHECK_CONTEXT}] must be in the dialplan: see above")
        return
    finally:
        await _hang_up(ari, channel)
    if call.ring is not None:
        yield await _ring(ari, call, ear)


async def _ring(ari: Ari, call: TestCall, ear: Ear) -> Finding:
    """Ring a phone for one ring, because somebody asked for it, and see whether AMI tells of it."""
    channel = f"ringback-ring-{os.getpid()}"
    what = f"phone {call.ring}"

    def rings(events: list[AmiEvent]) -> bool:
        return any(
            isinstance(event, NewState) and event.channel.state == "Ringing" and event.channel.endpoint == call.ring
            for event in events
        )

    try:
        await _originate(ari, channel, f"Local/{call.ring}@{call.context}")
        if await ear.until(rings, RING_SECONDS):
            return Finding(what, Grade.OK, "rings, and AMI tells of it")
    except AriError as error:
        return Finding(what, Grade.FAILURE, str(error), f"is there an extension {call.ring} in [{call.context}]?")
    finally:
        await _hang_up(ari, channel)
    mend = "is the phone registered? Is it an endpoint of that name (pbx.watch.desk_phones)?"
    return Finding(what, Grade.FAILURE, f"AMI told of no ringing within {RING_SECONDS:g} s", mend)


async def _originate(ari: Ari, channel: str, endpoint: str) -> None:
    """A call of ours into the dialplan, whose other end only waits. Raises a leaf of AriError."""
    body = {
        "endpoint": endpoint,
        "context": CHECK_CONTEXT,
        "extension": "caller",
        "priority": 1,
        "callerId": "Ringback <ringback>",
        "timeout": 20,
        "formats": "ulaw",
    }
    await ari.http.request("POST", ("channels", channel), body=body)


async def _hang_up(ari: Ari, channel: str) -> None:
    try:
        await ari.channels.hangup(channel)
    except NotFoundError:
        pass
    except AriError:
        return  # it ends by itself within seconds


def _of_test_call(event: AmiEvent) -> bool:
    match event:
        case DialBegan(peer=channel) | DialEnded(peer=channel) | DialProgressed(peer=channel):
            pass
        case ChannelEvent(channel=channel):
            pass
        case _:
            return False
    return channel.context == CHECK_CONTEXT or f"@{CHECK_CONTEXT}-" in channel.name


def _over(events: list[AmiEvent]) -> bool:
    """Whether everything that the test call has to show was seen."""
    return not _lacking(events)


def _lacking(events: list[AmiEvent]) -> list[tuple[str, str]]:
    """What was not seen of the test call, and the class that brings it."""
    ours = [event for event in events if _of_test_call(event)]
    return [(name, wanted) for name, kinds, wanted in _KINDS if not any(isinstance(event, kinds) for event in ours)]


def _presentation(events: list[AmiEvent]) -> Finding:
    """Whether AMI says of each channel that its caller withholds the number."""
    channels = [event.channel for event in events if isinstance(event, ChannelEvent) and _of_test_call(event)]
    if any(channel.presentation for channel in channels):
        return Finding("withheld numbers", Grade.OK, "AMI tells them apart")
    found = "AMI does not tell whether a caller withholds the number: such callers would be texted"
    mend = f"add `[general](+)` and its channelvars line of {SNIPPETS}/manager_custom.conf, then asterisk -rx 'manager reload'"
    return Finding("withheld numbers", Grade.FAILURE, found, mend)


def _queue(events: list[AmiEvent]) -> Finding:
    if any(isinstance(event, QueueJoined | QueueLeft) and _of_test_call(event) for event in events):
        return Finding("queues", Grade.OK, "AMI tells who waits in them")
    mend = f"read = agent for the AMI user, and {SNIPPETS}/queues_custom.conf for the proof; then asterisk -rx 'queue reload all'"
    return Finding("queues", Grade.WARNING, "there are some, and AMI told of nobody who waits in one", mend)


def _seen(events: list[AmiEvent], order: str | None) -> Finding:
    lacking = _lacking(events)
    if not lacking:
        return Finding("test call", Grade.OK, "seen from beginning to end, and nobody's phone rang")
    if len(lacking) == len(_KINDS):
        mend = (
            order
            if order is not None
            else "read = call,dialplan,agent,user,system for the AMI user; no eventfilter but ours"
        )
        return Finding("test call", Grade.FAILURE, "nothing was seen of it", mend)
    names = ", ".join(name for name, _ in lacking)
    classes = ", ".join(dict.fromkeys(wanted for _, wanted in lacking))
    mend = f"the AMI user needs read = {classes} as well, and the eventfilter lines of {SNIPPETS}/manager_custom.conf"
    return Finding("test call", Grade.FAILURE, f"AMI does not tell of: {names}", mend)


class EventLog:
    """The PBX's event log, looked at from where it ended before the test call. Raises OSError, as do its methods."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._place: Place | None = None
        self._tells_withheld = False
        self._read()
        self._tells_withheld = False  # of what is new alone

    def _read(self) -> tuple[int, bool]:
        """Lines that are not as ``cel_custom.conf`` has them, and whether the test call was in those that were new."""
        unreadable, seen, more = 0, False, True
        while more:
            found = follow_cel(self.path, self._place)
            self._place, more = found.place, found.more
            unreadable += found.unreadable
            ours = [row for _, row in found.rows if f"@{CHECK_CONTEXT}-" in row.channel]
            seen |= bool(ours)
            self._tells_withheld |= any(row.presentation.strip() for row in ours)
        return unreadable, seen

    async def told(self) -> Finding:
        """Whether the test call, which is over, stands in it."""
        unreadable = 0
        for _ in range(int(EVENT_LOG_SECONDS / 0.25)):
            more, seen = await asyncio.to_thread(self._read)
            unreadable += more
            if seen and not self._tells_withheld:
                found = f"{self.path} does not tell whether a caller withholds the number: such callers would be texted"
                mend = f"take the whole line of {SNIPPETS}/cel_custom.conf; asterisk -rx 'module load func_import.so'"
                return Finding("event log", Grade.FAILURE, found, mend)
            if seen:
                return Finding("event log", Grade.OK, f"the test call stands in {self.path}")
            await SystemClock().pause(0.25)
        if unreadable:
            found = f"{unreadable} lines of {self.path} are not as expected"
            return Finding("event log", Grade.FAILURE, found, f"take the whole line of {SNIPPETS}/cel_custom.conf")
        return Finding("event log", Grade.FAILURE, f"the test call does not stand in {self.path}", HOW_TO_LOG)


HOW_TO_LOG = (
    f"add {SNIPPETS}/cel_custom.conf and cel_general_custom.conf, then asterisk -rx 'module reload cel' and"
    " 'module load cel_custom.so'; pbx.watch.cel must name the file that it writes"
)
