"""Golden transcripts: one text file for one behaviour, in the form that ``ringback replay`` prints.

Lines with ``<`` are what happens; they are read back into events. Timers are not: they fire by themselves when the next
event is later; nor is what the recorder tells to other leads (``elsewhere``). The whole transcript is made anew through the
real recorder and books, and has to equal the file.
Lines that begin with ``#`` say what is being told; ``# office: OLD => NEW`` changes the settings; after ``# another call`` a
call is answered that is not the last one, and the verdict that follows is that call's, too.
"""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from ari_app.numbering import classify
from ari_app.recovery import transcript
from ari_app.recovery.commands import Declined, Drop, Resend
from ari_app.recovery.events import (
    BooksRestored,
    CallAnswered,
    CallbackAnswered,
    CallbackEnded,
    CallbackHandedOver,
    CallbackOptedOut,
    CallClosed,
    CallerLeft,
    CallMissed,
    Event,
    KeyPressed,
    LeadAcknowledged,
    LeadClosed,
    OptOutRecorded,
    PromptPlayed,
    ReceiptReceived,
    TextReceived,
    TimerFired,
    VoicemailLeft,
)
from ari_app.recovery.values import (
    CallbackEnd,
    EffectId,
    Intent,
    LeadId,
    Line,
    NumberKind,
    Verdict,
    e164,
)
from ari_app.runtime.asking import ask
from ari_app.runtime.facts import kind_of
from ari_app.runtime.outcome import Done, Failed, InDoubt, Outcome, Refused
from ari_app.runtime.recorded import Recorded
from ari_app.runtime.recorder import PolicyInForce, Recorder
from ari_app.settings.loading import Settings
from ari_app.store import lost_time, outbox, timers
from ari_app.store.db import prepare
from ari_app.store.lost_time import LostTime
from ari_app.store.stores import InlineStore
from tests.support import office

ZONE = ZoneInfo("America/New_York")
_LINE = re.compile(r"^(?:(?P<day>\d{4}-\d\d-\d\d) )?(?P<clock>\d\d:\d\d:\d\d) < (?P<name>\w+) ?(?P<rest>.*)$")
_CALL = re.compile(r"^(?P<caller>\S+) → (?P<dialled>\S+) ?(?P<rest>.*)$")


class _Settable:
    """A clock that stands where the story has come to."""

    def __init__(self) -> None:
        self.at = datetime(2026, 11, 24, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at

    async def pause(self, seconds: float) -> None:
        raise AssertionError("nothing waits in a golden transcript")


def retell(story: str, folder: Path) -> str:
    """The transcript that the events of ``story`` lead to."""
    return asyncio.run(_Teller(story, folder).retell())


class _Teller:
    def __init__(self, story: str, folder: Path) -> None:
        changes = re.findall(r"^# office: (.*) => (.*)$", story, flags=re.MULTILINE)
        self._settings: Settings = office.settings(folder, *[(old, new.replace("\\n", "\n")) for old, new in changes])
        self._story = story
        self._clock = _Settable()
        prepare(folder / "ringback.db")
        self._store = InlineStore(folder / "ringback.db")
        self._recorder = Recorder(self._store, self._clock, PolicyInForce(self._settings.policy, "{}"))
        self._recorder.listen(self._tell)
        self._told: list[str] = []
        self._calls: dict[str, str] = {}
        self._count = 0
        self._day = datetime(2026, 11, 24).date()  # noqa: DTZ001 - only the date
        self._shown_day = self._day

    async def retell(self) -> str:
        for text in self._story.splitlines():
            if text.startswith("#") or not text.strip():
                self._told.append(text)
                if text == "# another call":
                    self._calls["next"] = f"next:{len(self._told)}"
                continue
            found = _LINE.match(text)
            if found is None or found["name"] == "timer_fired" or found["rest"].endswith(", elsewhere"):
                if found is not None and found["day"]:
                    self._day = datetime.fromisoformat(found["day"]).date()
                    await self._pass_time(self._at(found["clock"]))
                continue
            if found["day"]:
                self._day = datetime.fromisoformat(found["day"]).date()
            at = self._at(found["clock"])
            await self._pass_time(at)
            self._clock.at = at
            self._count += 1
            await self._happen(found["name"], found["rest"], at)
        await self._pass_time(self._clock.at + timedelta(hours=1))
        return "\n".join(self._told).rstrip() + "\n"

    def _at(self, clock: str) -> datetime:
        return datetime.fromisoformat(f"{self._day}T{clock}").replace(tzinfo=ZONE).astimezone(UTC)

    async def _pass_time(self, until: datetime) -> None:
        """Fire every timer that is due by then, at its own time."""
        while True:
            ripe = await self._store.read(lambda db: timers.due(db, until, 1))
            if not ripe:
                return
            self._clock.at = max(ripe[0].due_at, self._clock.at)
            fired = TimerFired(
                at=self._clock.at, source_id=f"timer:{ripe[0].timer_id}", timer_id=ripe[0].timer_id, kind=ripe[0].kind
            )
            await self._recorder.record(fired)

    async def _happen(self, name: str, rest: str, at: datetime) -> None:
        if name == "effect_settled":
            _, effect_id, status, *detail = rest.split(" ", 3)
            order = await self._store.read(lambda db: outbox.order(db, EffectId(effect_id)))
            assert order is not None, f"no order {effect_id}"
            await self._recorder.settle(order, _outcome(status, " ".join(detail)))
            return
        if name in ("order_resent", "order_dropped"):
            effect_id, by = re.findall(r"(\d+\.\d+)|by (\S+)", rest)
            command = (Resend if name == "order_resent" else partial(Drop, note=""))(EffectId(effect_id[0]), by[1])
            done = await ask(self._recorder, self._clock, command, str(self._count))
            assert not isinstance(done, Declined), done
            return
        event = self._event(name, rest, at)
        if isinstance(event, BooksRestored):
            lost = LostTime(event.taken_at, at, unjudged=False)
            await self._store.write(lambda db: lost_time.put(db, lost))
        lead = LeadId(1) if isinstance(event, LeadAcknowledged | LeadClosed | BooksRestored) else None
        recorded = await self._recorder.record(event, lead)
        if recorded is None:
            self._told.append(f"# again, and ignored: {name}")

    def _tell(self, recorded: Recorded) -> None:
        for index, line in enumerate(transcript.lines(recorded.event, recorded.step, ZONE)):
            day = recorded.event.at.astimezone(ZONE).date()
            shown = ""
            if index == 0 and day != self._shown_day:
                self._shown_day, shown = day, f"{day} "
            self._told.append(shown + line)

    def _event(self, name: str, rest: str, at: datetime) -> Event:
        source = f"{name}:{self._count}"
        match name:
            case "text_received":
                found = re.fullmatch(r"(\S+) → (\S+) “(.*)”", rest)
                assert found, rest
                entry = self._settings.policy.entry_for(found[2])
                return TextReceived(
                    at=at,
                    source_id=source,
                    sender=found[1],
                    recipient=found[2],
                    body=found[3],
                    office=entry.office if entry else None,
                )
            case "receipt_received":
                effect_id, state = rest.split(" ")
                return ReceiptReceived(
                    at=at,
                    source_id=source,
                    effect_id=EffectId(effect_id),
                    delivered=state == "DELIVRD",
                    state=state,
                    error=None,
                )
            case "callback_answered":
                return CallbackAnswered(at=at, source_id=source, effect_id=EffectId(rest))
            case "callback_opted_out":
                effect_id, how = rest.split(" ")
                return CallbackOptedOut(at=at, source_id=source, effect_id=EffectId(effect_id), how=how)
            case "callback_handed_over":
                effect_id, by = rest.split(" by ")
                return CallbackHandedOver(at=at, source_id=source, effect_id=EffectId(effect_id), by=by)
            case "callback_ended":
                return _callback_ended(rest, at, source)
            case "lead_acknowledged":
                return LeadAcknowledged(at=at, source_id=source, by=rest.removeprefix("by "))
            case "lead_closed":
                return LeadClosed(at=at, source_id=source, by=rest.split(" ")[1], note="")
            case "books_restored":
                taken_at = datetime.fromisoformat(rest.removeprefix("as of ").removesuffix(" UTC")).replace(tzinfo=UTC)
                return BooksRestored(at=at, source_id=source, taken_at=taken_at)
            case "opt_out_recorded":
                return OptOutRecorded(at=at, source_id=source, number=e164(rest.split(" ")[0]), by="ana", note="")
            case _:
                return self._call_event(name, rest, at)

    def _call_event(self, name: str, rest: str, at: datetime) -> Event:
        found = _CALL.match(rest)
        if found is not None:
            if "next" in self._calls:
                self._calls["call"] = self._calls["next"]
            elif name != "call_answered":
                self._calls["call"] = f"{self._count}"
            if name != "call_answered":
                self._calls.pop("next", None)
            self._calls |= {"caller": found["caller"], "dialled": found["dialled"]}
            rest = found["rest"]
        policy = self._settings.policy
        caller = self._calls["caller"]
        party = classify(caller if caller not in ("withheld", "malformed") else caller[:0], policy.region)
        entry = policy.entry_for(self._calls["dialled"])
        call_id = self._calls["call"]
        kind = NumberKind.MALFORMED if caller == "malformed" else kind_of(party, policy)
        common: dict[str, Any] = {
            "at": at,
            "call_id": call_id,
            "caller": party.number,
            "kind": kind,
            "dialled": self._calls["dialled"],
            "office": entry.office if entry else None,
            "entry": entry.key if entry else None,
        }
        words = rest.replace(",", "").split()
        later = re.search(r", learned (\d+) min later(?:, reached (\d+) since)?", rest)
        if later is not None:
            common["occurred_at"] = at - timedelta(minutes=int(later[1]))
        match name:
            case "call_missed":
                assert entry is not None
                verdict = Verdict(words[0])
                return CallMissed(
                    **common,
                    source_id=f"call:{call_id}",
                    verdict=verdict,
                    rings=int(words[2]),
                    ring_seconds=6.0 * int(words[2]),
                    on_line="on the line" in rest,
                    plan=entry.after_hours_plan if verdict is Verdict.AFTER_HOURS else entry.plan,
                    source=entry.source,
                    listing=entry.listing,
                    caller_name=None,
                    reached_since=later[2] if later is not None else None,
                )
            case "call_closed":
                return CallClosed(
                    **common,
                    source_id=f"call:{call_id}",
                    verdict=Verdict(words[0]),
                    rings=int(words[2]),
                    ring_seconds=6.0 * int(words[2]),
                    talk_seconds=0.0,
                    answered_by=words[words.index("by") + 1] if "by" in words else None,
                )
            case "call_answered":
                return CallAnswered(**common, source_id=f"answered:{self._count}", by=rest.removeprefix("by "))
            case "prompt_played":
                return PromptPlayed(
                    **common,
                    source_id=f"prompt:{call_id}",
                    prompt=words[0],
                    text_sha256="0" * 64,
                    audio_sha256="0123abcd" * 8,
                    started_at=at,
                    ended_at=at,
                    whole="end" in rest,
                )
            case "key_pressed":
                return KeyPressed(**common, source_id=f"key:{self._count}", key=rest)
            case "voicemail_left":
                return VoicemailLeft(**common, source_id=f"voicemail:{call_id}", recording="a.wav", seconds=12)
            case "caller_left":
                return CallerLeft(**common, source_id=f"left:{call_id}")
        raise AssertionError(f"no event is called {name}")


def _callback_ended(rest: str, at: datetime, source: str) -> CallbackEnded:
    head, *said = re.split(r" (?=(?:agent|caller): “)", rest)
    words = head.split()
    intent = next((Intent(word) for word in words if word in set(Intent)), Intent.UNSTATED)
    lines = [re.fullmatch(r"(\w+): “(.*)”", text) for text in said]
    return CallbackEnded(
        at=at,
        source_id=source,
        effect_id=EffectId(words[0]),
        end=CallbackEnd(words[1]),
        intent=intent,
        lines=tuple(Line(found[1], found[2], float(index)) for index, found in enumerate(lines) if found),
        keys="9" if words[1] == "opted_out" else "",
        seconds=float(words[words.index("after") + 1]),
        by=None,
        why=None,
    )


def _outcome(status: str, detail: str) -> Outcome:
    found = re.fullmatch(r"(?:ref (\S+))? ?(?:\((.*)\))?", detail)
    assert found, detail
    why = found[2] or ""
    match status:
        case "done":
            return Done(found[1])
        case "failed":
            return Failed(why)
        case "in_doubt":
            return InDoubt(why)
        case "refused":
            return Refused("REV-10", why)
    raise AssertionError(status)
