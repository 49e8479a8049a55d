"""The settings that a simulated brokerage runs with, and those that it is reloaded with."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ari_app.recovery.policy import Policy
from ari_app.settings.loading import Settings
from tests.support import office


@dataclass(frozen=True, slots=True)
class Variant:
    """One valid set of settings. text: what the journal keeps of it."""

    settings: Settings
    text: str

    @property
    def policy(self) -> Policy:
        return self.settings.policy


_WINDOWS = ("24h", "20m")
_CHANGES: tuple[tuple[tuple[str, str], ...], ...] = (
    (),
    (("texts: hold", "texts: send"),),
    (('callback: {to: ["_1NXXNXXXXXX"]', 'callback: {consent: key, to: ["_1NXXNXXXXXX"]'),),
    (("    - text: missed\n      after_hours: missed_after_hours\n    - call\n", "    - call\n    - text: missed\n"),),
    (("brief: [{text: missed}, push]", "brief: [{wait: 2m}, {text: missed}, call, push]"),),
    (("agents: [ana, bob]", "agents: [bob]"),),
)


@cache
def families() -> tuple[tuple[Variant, ...], ...]:
    """Settings between which a reload may change, by the length of the window for texts."""
    return tuple(tuple(_load(window, changes) for changes in _CHANGES) for window in _WINDOWS)


def policy_of(version: str) -> Policy:
    """The policy that was in force."""
    return next(variant.policy for family in families() for variant in family if variant.policy.version == version)


def _load(window: str, changes: tuple[tuple[str, str], ...]) -> Variant:
    with tempfile.TemporaryDirectory() as folder:
        found = office.settings(Path(folder), ("quiet_hours:", f"texts: {{window: {window}}}\nquiet_hours:"), *changes)
    return Variant(found, found.document.model_dump_json(exclude_unset=True))
