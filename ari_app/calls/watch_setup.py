"""What mode ``watch`` is made of, built from the settings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ari_app.calls.draft import PromptDigests
from ari_app.calls.judging import Hindsight, InlineHindsight, WatchHindsight
from ari_app.calls.watch_state import WatchRules
from ari_app.calls.watch_supervisor import WatchSupervisor
from ari_app.clock import Clock
from ari_app.pbx.ami_link import AmiAddress, AmiLink
from ari_app.recovery.values import E164
from ari_app.runtime.outcome import Failed, Outcome
from ari_app.runtime.recorder import Recorder
from ari_app.settings.loading import Settings
from ari_app.store.outbox import Order


@dataclass(frozen=True, slots=True)
class Watch:
    """A PBX that is watched. Both have a ``run`` that ends only when it is cancelled."""

    supervisor: WatchSupervisor
    link: AmiLink


def ami_address(settings: Settings) -> AmiAddress:
    """Where AMI is, and as whom. Raises SecretUnavailableError."""
    pbx = settings.document.pbx
    secret = settings.secrets().resolve("manager", pbx.manager.secret)
    return AmiAddress(pbx.ami.host, pbx.ami.port, pbx.manager.user, secret)


def open_watch(
    settings: Settings,
    recorder: Recorder,
    clock: Clock,
    notice: PromptDigests | None,
    *,
    chance: Callable[[], float],
    arrived: Callable[[E164], None],
    left: Callable[[E164], None],
) -> Watch:
    """Built, and not started. notice: digests of the prompt that the dialplan may play, None when it could not be
    rendered. Raises SecretUnavailableError."""
    section = settings.document.pbx.watch
    rules = _rules(settings, notice)
    supervisor = WatchSupervisor(recorder, clock, section, rules, arrived=arrived, left=left)
    return Watch(supervisor, AmiLink(ami_address(settings), supervisor.deliver, chance=chance))


def hindsight(settings: Settings) -> Hindsight:
    """How calls that nobody saw are judged: as they would have been."""
    pbx = settings.document.pbx
    return WatchHindsight(pbx.watch, _rules(settings)) if pbx.watches else InlineHindsight()


def _rules(settings: Settings, notice: PromptDigests | None = None) -> WatchRules:
    section = settings.document.pbx.watch
    return WatchRules(
        queue_rings=section.queue_rings,
        forwarded=section.forwarded,
        talk_seconds=section.forwarded_talk,
        text_sha256="" if notice is None else notice.text,
        audio_sha256="" if notice is None else notice.audio,
        told_later=section.cel is not None,
    )


class NoCallbacks:
    """Implements the outbox's adapter for callbacks where there is no way to place one."""

    async def act(self, order: Order) -> Outcome:
        """Failed, always: the plan goes on to what can be done."""
        del order
        return Failed("this PBX is only watched: without pbx.ari no callback can be placed")
