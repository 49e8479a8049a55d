"""Calls that nobody of us judged: read from Asterisk's channel events, and recorded late rather than never.

Asterisk writes an event log (CEL) whether Ringback is there or not. Each inbound call in it that is over and has no verdict in
the journal is judged by hindsight, and recorded under the same source id as if it had been seen: twice is once.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import NoReturn

import structlog

from ari_app.calls.hindsight import ChannelEvent
from ari_app.calls.judging import Hindsight, Judged, channel_event
from ari_app.calls.verdicts import inbound_fields, verdict_event
from ari_app.clock import Clock
from ari_app.errors import StoreError, StoreUnavailableError
from ari_app.numbering import canonical, redacted
from ari_app.pbx.ledger import Place, follow_cel
from ari_app.recovery.events import CallAnswered, Event
from ari_app.recovery.policy import Policy
from ari_app.runtime.recorder import Recorder
from ari_app.store import bookmarks, journal, lost_time
from ari_app.store.db import Database
from ari_app.store.stores import Store

log = structlog.get_logger("catch_up")

BOOKMARK = "cel"
EVERY_SECONDS = 5.0
SETTLED_SECONDS = 3.0
"""A call that is over this long, and that no session holds any more, will get no verdict from anybody else."""
OLDEST = timedelta(days=2)
"""Older calls, of a ledger that was there before us, are not ours to answer. Where a bookmark tells how far we were, all are."""


class CatchUp:
    """Follows one ledger. ``run`` looks when it is woken, and now and then: also what was lost while we ran is found."""

    def __init__(
        self,
        store: Store,
        recorder: Recorder,
        clock: Clock,
        cel: Path,
        held: Callable[[str], bool],
        hindsight: Hindsight,
    ) -> None:
        """held: whether a session still holds that call, and will judge it."""
        self._store = store
        self._recorder = recorder
        self._clock = clock
        self._cel = cel
        self._held = held
        self._hindsight = hindsight
        self._place: Place | None = None
        self._knows_its_place = False
        self._saved: Place | None = None
        self._open: dict[str, list[ChannelEvent]] = {}
        self._opened: dict[str, Place] = {}
        self._over: dict[str, list[ChannelEvent]] = {}
        self._reached: dict[str, tuple[datetime, str]] = {}
        self._there: tuple[frozenset[str], datetime] | None = None
        self._wake = asyncio.Event()
        self._began = clock.now()
        self._complete = False
        self.trouble: str | None = None
        """Why the ledger cannot be read; None while it can."""

    def asterisk_has(self, channel_ids: frozenset[str]) -> None:
        """Just now these were all the channels: calls without one of them are over, even if Asterisk died before saying so."""
        self._there = (channel_ids, self._clock.now())
        self._wake.set()

    async def run(self) -> NoReturn:
        """Until cancelled."""
        while True:
            try:
                await self.look()
                self.trouble = None
            except StoreUnavailableError as error:
                log.warning("not_caught_up", error=str(error))
            except OSError as error:
                if self.trouble is None:
                    log.error("ledger_unreadable", path=str(self._cel), error=str(error))
                self.trouble = f"{self._cel}: {error.strerror or error}"
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(SETTLED_SECONDS if self._over else EVERY_SECONDS):
                    await self._wake.wait()
            self._wake.clear()

    async def look(self) -> int:
        """Read what is new and record what nobody has judged; how many calls that were.

        Raises StoreUnavailableError, OSError; what was not recorded is found again the next time.
        """
        if self._place is None:
            saved = await self._store.read(lambda db: bookmarks.get(db, BOOKMARK))
            self._place = None if saved is None else Place.parse(saved)
            self._knows_its_place = saved is not None
        while await self._read():
            pass
        self._close_what_is_gone()
        caught = await self._judge()
        place = next(iter(self._opened.values()), self._place)
        if place is not None and place != self._saved:
            await self._store.write(lambda db: bookmarks.put(db, BOOKMARK, str(place)))
            self._saved = place
        if not self._complete and all(events[-1].at >= self._began for events in self._over.values()):
            await self._store.write(lost_time.judged)
            self._complete = True
        return caught

    # ------------------------------------------------------------------------------------------------------------ reading
    async def _read(self) -> bool:
        """One piece of the ledger; whether there is more."""
        found = await asyncio.to_thread(follow_cel, self._cel, self._place)
        if found.unreadable or found.lost:
            log.warning("ledger_damaged", unreadable=found.unreadable, lost=found.lost)
        if found.lost:
            self._knows_its_place = False
        for place, row in found.rows:
            call = row.linkedid
            if call not in self._open:
                self._opened[call] = place
            self._open.setdefault(call, []).append(channel_event(row))
            if row.type == "LINKEDID_END":
                self._over[call] = self._open.pop(call)
        self._place = found.place
        return found.more

    def _close_what_is_gone(self) -> None:
        """Calls that were cut off with Asterisk itself never say that they end."""
        if self._there is None:
            return
        there, at = self._there
        self._there = None
        for call, events in list(self._open.items()):
            if events[-1].at < at and not there & {event.uniqueid for event in events}:
                self._over[call] = self._open.pop(call)

    # ------------------------------------------------------------------------------------------------------------ judging
    async def _judge(self) -> int:
        now = self._clock.now()
        ripe = {
            call: events
            for call, events in self._over.items()
            # An end in the future is one of before the clock was put back: nothing is gained by waiting for it.
            if not self._held(call) and not 0.0 <= (now - events[-1].at).total_seconds() < SETTLED_SECONDS
        }
        policy = self._recorder.policy
        told = [found for call, events in ripe.items() if (found := self._told(call, events, policy)) is not None]
        for one in told:
            if one.answered_by is not None:
                self._remember(canonical(one.number, policy.region), one.answered_at or one.at, one.answered_by)
        recent = [one for one in told if self._knows_its_place or now - one.ended_at <= OLDEST]
        if len(recent) < len(told):
            log.warning(
                "calls_too_old", calls=len(told) - len(recent), oldest=min(one.ended_at for one in told).isoformat()
            )
        unknown = await self._store.read(lambda db: _without_verdict(db, recent))
        caught = await self._record(unknown, policy, now) if unknown else []
        for one in caught:
            late = round((now - one.ended_at).total_seconds())
            log.warning("call_caught_up", call_id=one.setup.call_id, caller=redacted(one.number), late_seconds=late)
        for call in ripe:
            del self._over[call]
            self._opened.pop(call, None)
        self._forget(now)
        return len(caught)

    def _told(self, call: str, events: list[ChannelEvent], policy: Policy) -> Judged | None:
        """What became of a call. One that cannot be judged is logged, and left: the audit names it."""
        try:
            return self._hindsight.judge(events, policy)
        except Exception:
            log.exception("call_defect", call_id=call)
            return None

    async def _record(self, unknown: list[Judged], policy: Policy, now: datetime) -> list[Judged]:
        """Record their outcomes; those that were. Raises StoreError."""
        try:
            # All together: a call that was answered later takes back what an earlier one of the same caller has ordered.
            await self._tell(unknown, policy, now)
        except StoreError:
            raise
        except Exception:
            log.exception("calls_defect", calls=len(unknown))
        else:
            return unknown
        # One that cannot be recorded must not keep the others back, nor be met again at every start.
        caught = []
        for one in unknown:
            try:
                await self._tell([one], policy, now)
            except StoreError:
                raise
            except Exception:
                log.exception("call_defect", call_id=one.setup.call_id, caller=redacted(one.number))
            else:
                caught.append(one)
        return caught

    async def _tell(self, calls: list[Judged], policy: Policy, now: datetime) -> None:
        events = [event for one in calls for event in self._events(one, policy, now)]
        await self._recorder.transact(lambda db, record: [record(event, None) for event in events])

    def _events(self, told: Judged, policy: Policy, now: datetime) -> Iterable[Event]:
        """What the journal is told of a call that nobody saw."""
        if told.answered_by is not None:
            yield CallAnswered(
                **inbound_fields(told.setup, now),
                occurred_at=told.answered_at or told.at,
                source_id=f"answered:{told.setup.call_id}",
                by=told.answered_by,
            )
        yield verdict_event(
            told.setup,
            told.verdict,
            now,
            rings=told.rings,
            ring_seconds=round(told.ring_seconds, 3),
            on_line=False,
            talk_seconds=told.talk_seconds,
            by=told.answered_by,
            occurred_at=told.at,
            # Whoever answered after the verdict has reached the caller in this very call.
            reached_since=told.answered_by or self._reached_since(canonical(told.number, policy.region), told.at),
        )

    def _remember(self, number: str, at: datetime, by: str) -> None:
        known = self._reached.get(number)
        if known is None or known[0] < at:
            self._reached[number] = (at, by)

    def _reached_since(self, number: str, at: datetime) -> str | None:
        reached_at, by = self._reached.get(number, (at, ""))
        return by if reached_at > at else None

    def _forget(self, now: datetime) -> None:
        self._reached = {number: (at, by) for number, (at, by) in self._reached.items() if now - at <= OLDEST}


def _without_verdict(db: Database, told: Iterable[Judged]) -> list[Judged]:
    return [one for one in told if not journal.is_known(db, f"call:{one.setup.call_id}")]
