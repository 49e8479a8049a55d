"""What phones do, and what becomes of the call: the same in both modes, in our dialplan, in a plain one and in FreePBX's."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pytest

from ari_app.recovery.events import CallClosed
from ari_app.recovery.values import NumberKind, Verdict
from tests.e2e import brokerage as inline
from tests.e2e.brokerage import Brokerage
from tests.e2e.scenes import quiet, settled
from tests.e2e.watch.foreign import FREEPBX, PLAIN, ForeignPbx
from tests.e2e.watch.phones import rings as rings_heard
from tests.e2e.watch.phones import talk
from tests.e2e.watch.watching import RING_SECONDS, Watching, watching
from tests.support.phones import Phone
from tests.support.sipp import Sipp
from tests.support.stage import CARRIER_IP, JournalEvent
from tests.support.waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]


@dataclass(frozen=True)
class Told:
    """What the journal says of a call. lead: it is followed up."""

    verdict: Verdict
    rings: int
    kind: NumberKind
    lead: bool
    answered_by: str | None = None


class Line(Protocol):
    """A way into the office. group: a number that rings 101, 102 and 103, three times until it is missed; patient: one that
    rings on long enough to give up in the third ring; closed: one whose office is closed."""

    ring_seconds: float
    group: str
    patient: str
    closed: str
    address: str

    def desk(self, extension: str, **settings: Any) -> Phone: ...

    def caller(self, number: str) -> Phone: ...

    def withheld(self, dialled: str, number: str) -> Sipp: ...

    def dial(self, number: str) -> str: ...

    async def rung(self, count: float) -> None:
        """Returns when the call has rung so often."""

    async def judged(self) -> None:
        """Returns when there is a verdict."""

    async def told(self) -> Told:
        """Of the only call, once its caller has hung up."""


class Inline:
    """Ringback rings the phones."""

    ring_seconds = inline.RING_SECONDS
    group, patient, closed = inline.ALL_PHONES, inline.LONG_RINGING, inline.CLOSED

    def __init__(self, brokerage: Brokerage, number: str) -> None:
        self._brokerage = brokerage
        self._number = number
        self._before = brokerage.now
        self.address = brokerage.sip

    def desk(self, extension: str, **settings: Any) -> Phone:
        return self._brokerage.desk_phone(extension, **settings)

    def caller(self, number: str) -> Phone:
        return self._brokerage.mobile(number)

    def withheld(self, dialled: str, number: str) -> Sipp:
        return Sipp("caller_withholds", self.address, service=dialled, ip=CARRIER_IP, caller=number, pause_seconds=0.3)

    def dial(self, number: str) -> str:
        return self._brokerage.dial(number)

    async def rung(self, count: float) -> None:
        await talk(count * self.ring_seconds)

    async def judged(self) -> None:
        await until(self._verdicts, within=15.0, what="the verdict")

    def _verdicts(self) -> list[JournalEvent]:
        return [event for event in self._brokerage.events(after=self._before) if "verdict" in event.body]

    async def told(self) -> Told:
        await self.judged()
        await until(lambda: not self._brokerage.channels(), within=15.0, what="all channels to be gone")
        [event] = self._verdicts()
        if event.lead_id is not None:
            await settled(self._brokerage, self._number, "text")
            assert len(self._brokerage.smsc.to(self._number)) == 1
        else:
            await quiet(self._brokerage, self._number)
        body = event.body
        return Told(
            Verdict(body["verdict"]),
            body["rings"],
            NumberKind(body["kind"]),
            event.lead_id is not None,
            body.get("answered_by"),
        )


class Watched:
    """Somebody else's dialplan rings the phones."""

    ring_seconds = RING_SECONDS

    def __init__(self, pbx: ForeignPbx, seen: Watching, ip: str) -> None:
        self._pbx = pbx
        self._seen = seen
        self._ip = ip
        self.address = pbx.address
        self.group = self.patient = "13055550201" if ip == PLAIN else "13055550306"
        self.closed = "13055550208" if ip == PLAIN else "13055550303"

    def desk(self, extension: str, **settings: Any) -> Phone:
        return self._pbx.desk_phone(extension, **settings)

    def caller(self, number: str) -> Phone:
        return self._pbx.caller(self._ip, number)

    def withheld(self, dialled: str, number: str) -> Sipp:
        return Sipp("caller_withholds", self.address, service=dialled, ip=self._ip, caller=number, pause_seconds=0.3)

    def dial(self, number: str) -> str:
        return self._pbx.dial(number)

    async def rung(self, count: float) -> None:
        await until(lambda: rings_heard(self._seen) >= count, what=f"{count} rings")

    async def judged(self) -> None:
        await self._seen.verdict()

    async def told(self) -> Told:
        await self.judged()
        await self._seen.over()
        [event] = self._seen.verdicts()
        by = event.answered_by if isinstance(event, CallClosed) else None
        return Told(event.verdict, event.rings, event.kind, bool(self._seen.leads), by)


Open = Callable[[], contextlib.AbstractAsyncContextManager[Line]]


@pytest.fixture(params=["inline", "plain", "freepbx"])
def line(request: pytest.FixtureRequest, tmp_path: Path, caller: str) -> Open:
    """Opens the line that is asked for."""
    if request.param == "inline":
        brokerage: Brokerage = request.getfixturevalue("brokerage")

        @contextlib.asynccontextmanager
        async def ours() -> AsyncIterator[Line]:
            yield Inline(brokerage, caller)

        return ours
    pbx: ForeignPbx = request.getfixturevalue("pbx")
    ip = PLAIN if request.param == "plain" else FREEPBX

    @contextlib.asynccontextmanager
    async def theirs() -> AsyncIterator[Line]:
        async with watching(pbx, tmp_path) as seen:
            yield Watched(pbx, seen, ip)

    return theirs


WITHHELD = "withheld"
ONCE_JUDGED, ONCE_ANSWERED, AFTER_A_TALK = "once judged", "once answered", "after a talk"
TALK_SECONDS = 1.8
"""Longer than a call that counts as dropped."""


@dataclass(frozen=True)
class Scene:
    """What the phones do. phones: those that are there, each with the ring in which it answers, ``busy``, or None for one
    that rings for ever. leaves: when the caller hangs up, in rings, or one of the words above. caller: what the network shows,
    where it is not the number."""

    phones: dict[str, float | str | None]
    leaves: float | str
    told: Told
    caller: str = ""
    number: str = "group"


SCENES = {
    "nobody answers": Scene(
        {"101": None, "102": None}, ONCE_JUDGED, Told(Verdict.NO_ANSWER, 3, NumberKind.ORDINARY, lead=True)
    ),
    "gives up in the first ring": Scene(
        {"101": None}, 0.3, Told(Verdict.ABANDONED, 0, NumberKind.ORDINARY, lead=False), number="patient"
    ),
    "gives up in the third ring": Scene(
        {"101": None}, 2.4, Told(Verdict.ABANDONED, 2, NumberKind.ORDINARY, lead=True), number="patient"
    ),
    "one of three answers in the second ring": Scene(
        {"101": None, "102": 1.4, "103": None},
        AFTER_A_TALK,
        Told(Verdict.ANSWERED, 1, NumberKind.ORDINARY, lead=False, answered_by="102"),
    ),
    "all are busy": Scene(
        {"101": "busy", "102": "busy", "103": "busy"},
        ONCE_JUDGED,
        Told(Verdict.BUSY, 0, NumberKind.ORDINARY, lead=True),
    ),
    "one is busy, and another rings": Scene(
        {"101": "busy", "102": None}, ONCE_JUDGED, Told(Verdict.NO_ANSWER, 3, NumberKind.ORDINARY, lead=True)
    ),
    "no phone is registered": Scene({}, ONCE_JUDGED, Told(Verdict.UNREACHABLE, 0, NumberKind.ORDINARY, lead=True)),
    "the caller withholds the number": Scene(
        {}, ONCE_JUDGED, Told(Verdict.UNREACHABLE, 0, NumberKind.WITHHELD, lead=False), caller=WITHHELD
    ),
    "the carrier knows no number": Scene(
        {}, ONCE_JUDGED, Told(Verdict.UNREACHABLE, 0, NumberKind.WITHHELD, lead=False), caller="anonymous"
    ),
    "one of the house calls from outside": Scene(
        {}, ONCE_JUDGED, Told(Verdict.UNREACHABLE, 0, NumberKind.INTERNAL, lead=False), caller="102"
    ),
    "after hours": Scene(
        {"101": None}, ONCE_ANSWERED, Told(Verdict.AFTER_HOURS, 0, NumberKind.ORDINARY, lead=True), number="closed"
    ),
}


@pytest.mark.parametrize("scene", SCENES.values(), ids=SCENES)
async def test_what_phones_do_leads_to_one_verdict_whoever_rings_them(line: Open, scene: Scene, caller: str) -> None:
    async with line() as office, contextlib.AsyncExitStack() as stack:
        phones = []
        for extension, does in scene.phones.items():
            answers = does * office.ring_seconds if isinstance(does, float) else None
            desk = office.desk(extension, answer_after=answers, busy=does == "busy")
            phones.append(await stack.enter_async_context(desk))
        dialled = getattr(office, scene.number)
        if scene.caller == WITHHELD:
            sipp = await stack.enter_async_context(office.withheld(dialled, caller))
            await sipp.result()
        else:
            mobile = await stack.enter_async_context(office.caller(scene.caller or caller))
            mobile.call(office.dial(dialled))
            await _wait(office, scene, mobile, phones)
            mobile.hang_up()
        assert await office.told() == scene.told


async def _wait(office: Line, scene: Scene, mobile: Phone, phones: list[Phone]) -> None:
    if isinstance(scene.leaves, float):
        await phones[0].heard("incoming")
        await office.rung(scene.leaves)
    elif scene.leaves == ONCE_JUDGED:
        await office.judged()
    else:
        await mobile.heard("answered")
        if scene.leaves == AFTER_A_TALK:
            await talk(TALK_SECONDS)
