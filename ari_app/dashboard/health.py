"""Is it well? Components answer for themselves; the sum is what ``/health`` and ``ringback status`` show."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Component:
    """One part. ok: it does its work now. needed: without it, calls are lost. detail: one sentence."""

    name: str
    ok: bool
    detail: str
    needed: bool = True


Probe = Callable[[], Sequence[Component]]


class Health:
    """Asks every part."""

    def __init__(self) -> None:
        self._probes: list[Probe] = []

    def add(self, probe: Probe) -> None:
        """Ask ``probe`` from now on; it must answer at once."""
        self._probes.append(probe)

    def components(self) -> tuple[Component, ...]:
        """How every part is now."""
        return tuple(component for probe in self._probes for component in probe())

    @property
    def ok(self) -> bool:
        """Whether every part that calls need is well."""
        return all(component.ok for component in self.components() if component.needed)

    def as_json(self) -> dict[str, object]:
        """For machines."""
        return {
            "status": "ok" if self.ok else "failing",
            "components": [
                {"name": part.name, "ok": part.ok, "needed": part.needed, "detail": part.detail}
                for part in self.components()
            ],
        }
