"""Conversations that outlived the Ringback that had connected them: two people in one of our bridges.

Nothing is done to them but what would be done at their end: the one who is left is hung up, the bridge goes, and the journal
is told. The ids that we give to channels and bridges say what belongs together.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Iterable
from dataclasses import dataclass
from datetime import datetime

import structlog

from ari_app.calls.state import CallSetup
from ari_app.pbx.ari import Ari
from ari_app.pbx.errors import AriError
from ari_app.pbx.event_socket import Snapshot
from ari_app.pbx.messages import AriEvent, ChannelDestroyed, ChannelHangupRequest, StasisEnd
from ari_app.pbx.models import Bridge, Channel
from ari_app.recovery.events import CallbackEnded, CallClosed
from ari_app.recovery.values import CallbackEnd, EffectId, Intent, Verdict

log = structlog.get_logger("call")

_BRIDGE = re.compile(r"(?P<owner>.+)-talk")
_DESK = re.compile(r"-(?:leg\d+(\.\w+)?|desk\d+)")
CALLBACK = "callback-"
_OURS = re.compile(r".+-leg\d+(\.\w+)?|callback-\d+\.\d+(-desk\d+|-media)?")
"""The ids of channels that nobody but us creates."""


@dataclass(frozen=True, slots=True)
class FoundTalk:
    """A person outside and one at a desk phone. owner: the inbound call's id, or the callback's leg. desk: None when that phone
    has hung up while nobody was there to see it, and its caller is alone."""

    bridge: str
    owner: Channel
    desk: Channel | None

    @property
    def channels(self) -> tuple[str, ...]:
        """The ids of both ends; of the one that is left."""
        return (self.owner.id,) if self.desk is None else (self.owner.id, self.desk.id)

    @property
    def phone(self) -> str | None:
        """The desk phone's extension, as long as it is there."""
        return None if self.desk is None else self.desk.endpoint.rpartition("/")[2]

    @property
    def effect_id(self) -> EffectId | None:
        """The callback's order; None for an inbound call."""
        return EffectId(self.owner.id.removeprefix(CALLBACK)) if self.owner.id.startswith(CALLBACK) else None

    def seconds(self, at: datetime) -> float:
        """How long they have been connected at ``at``, the ringing included: when it was answered died with the process.
        0 when nobody knows."""
        return 0.0 if self.desk is None else round((at - self.desk.created).total_seconds(), 3)


def is_ours(channel_id: str) -> bool:
    """Whether a Ringback made that channel. One that was made as its Ringback died is known to no application."""
    return _OURS.fullmatch(channel_id) is not None


def found_talks(channels: Iterable[Channel], bridges: Iterable[Bridge]) -> list[FoundTalk]:
    """The conversations among ``channels``; also those of a caller whose phone has hung up meanwhile: they have been answered,
    and are not to hear the phones ring again. A callback's person may be with the assistant, and is in no conversation then."""
    known = {channel.id: channel for channel in channels}
    talks = []
    for bridge in bridges:
        named = _BRIDGE.fullmatch(bridge.id)
        owner = None if named is None else known.get(named["owner"])
        if owner is None or owner.id not in bridge.channels:
            continue
        desks = [known[leg] for leg in bridge.channels if leg in known and _DESK.fullmatch(leg.removeprefix(owner.id))]
        if len(desks) == 1:
            talks.append(FoundTalk(bridge.id, owner, desks[0]))
        elif bridge.channels == (owner.id,) and not owner.id.startswith(CALLBACK):
            talks.append(FoundTalk(bridge.id, owner, None))
    return talks


class ResumedTalk:
    """Waits for the end of one conversation. The supervisor delivers the events of its channels."""

    def __init__(self, talk: FoundTalk, ari: Ari) -> None:
        self._talk = talk
        self._ari = ari
        self._over = asyncio.Event()
        if talk.desk is None:
            self._over.set()

    @property
    def live(self) -> bool:
        return not self._over.is_set()

    def deliver(self, event: AriEvent) -> None:
        """Take an event of one of the two channels. Never waits."""
        if isinstance(event, ChannelDestroyed | ChannelHangupRequest | StasisEnd):
            self._over.set()

    def compare(self, snapshot: Snapshot) -> None:
        """Take how things stand in Asterisk. Never waits."""
        if not {channel.id for channel in snapshot.channels}.issuperset(self._talk.channels):
            self._over.set()

    async def run(self) -> None:
        """Until one of them has hung up; then nothing of it is left in Asterisk."""
        log.info("conversation_found", call_id=self._talk.owner.id, phone=self._talk.phone)
        await self._over.wait()
        for channel in self._talk.channels:
            await self._quietly(self._ari.channels.hangup(channel))
        await self._quietly(self._ari.bridges.destroy(self._talk.bridge))

    async def _quietly(self, request: Awaitable[object]) -> None:
        try:
            await request
        except AriError as error:
            log.debug("gone_before", error=str(error))


def call_over(talk: FoundTalk, setup: CallSetup, at: datetime) -> CallClosed:
    """The end of an inbound call that was answered. A verdict that was told before stands; the recorder sees to it."""
    return CallClosed(
        at=at,
        source_id=f"call:{setup.call_id}",
        call_id=setup.call_id,
        caller=setup.caller,
        kind=setup.kind,
        dialled=setup.dialled,
        office=None if setup.entry is None else setup.entry.office,
        entry=None if setup.entry is None else setup.entry.key,
        verdict=Verdict.ANSWERED,
        rings=0,
        ring_seconds=0.0,
        talk_seconds=talk.seconds(at),
        answered_by=talk.phone,
    )


def callback_over(talk: FoundTalk, at: datetime) -> CallbackEnded:
    """The end of a callback that a person had taken over."""
    assert talk.effect_id is not None
    return CallbackEnded(
        at=at,
        source_id=f"callback:{talk.effect_id}:ended",
        effect_id=talk.effect_id,
        end=CallbackEnd.REACHED_PERSON,
        intent=Intent.UNSTATED,
        lines=(),
        keys="",
        seconds=talk.seconds(at),
        by=talk.phone,
        why=None,
    )
