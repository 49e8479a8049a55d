"""Prometheus metrics, fed by what is recorded. Labels never hold a number, a name or a text."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from ari_app.dashboard.health import Health
from ari_app.recovery.events import (
    CallbackAnswered,
    CallbackEnded,
    CallClosed,
    CallMissed,
    EffectSettled,
    TextReceived,
)
from ari_app.recovery.lead import Lead
from ari_app.runtime.recorded import Recorded

_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300)


class Metrics:
    """The numbers. ``observe`` is a listener of the recorder."""

    def __init__(self, health: Health, depths: Callable[[], Mapping[tuple[str, str], int]]) -> None:
        """depths: orders by kind and status, as last read."""
        registry = self.registry = CollectorRegistry()
        self._health = health
        self._depths = depths
        self._calls = Counter("ringback_calls", "Inbound calls by verdict.", ["verdict"], registry=registry)
        self._orders = Counter(
            "ringback_orders", "Orders settled, by kind and outcome.", ["kind", "outcome"], registry=registry
        )
        self._decisions = Counter(
            "ringback_decisions",
            "Decisions by action, outcome and rule.",
            ["action", "outcome", "rule"],
            registry=registry,
        )
        self._callbacks = Counter("ringback_callbacks", "Callbacks by how they ended.", ["end"], registry=registry)
        self._inbound = Counter("ringback_texts_received", "Texts that came in.", registry=registry)
        self._to_text = Histogram(
            "ringback_missed_to_text_seconds",
            "From the missed call to the text accepted.",
            buckets=_SECONDS,
            registry=registry,
        )
        self._to_callback = Histogram(
            "ringback_missed_to_callback_seconds",
            "From the missed call to the callback answered.",
            buckets=_SECONDS,
            registry=registry,
        )
        self._up = Gauge("ringback_component_up", "1 when a part does its work.", ["component"], registry=registry)
        self._depth = Gauge(
            "ringback_outbox_orders",
            "Orders not settled, and alerts that reached nobody.",
            ["kind", "status"],
            registry=registry,
        )

    def observe(self, recorded: Recorded) -> None:
        """Count one recorded event."""
        event, lead = recorded.event, recorded.step.lead
        for decision in recorded.step.decisions:
            self._decisions.labels(decision.action, decision.outcome, decision.rule).inc()
        match event:
            case CallMissed(verdict=verdict) | CallClosed(verdict=verdict, elsewhere=False):
                self._calls.labels(verdict.value).inc()
            case EffectSettled(kind=kind, outcome=outcome):
                self._orders.labels(kind, outcome).inc()
                if lead is not None and event.effect_id == lead.text_effect and outcome == "done":
                    self._since_miss(self._to_text, lead, recorded)
            case CallbackAnswered() if lead is not None:
                self._since_miss(self._to_callback, lead, recorded)
            case CallbackEnded(end=end):
                self._callbacks.labels(end.value).inc()
            case TextReceived():
                self._inbound.inc()
            case _:
                pass

    def render(self) -> bytes:
        """The text that Prometheus reads."""
        for component in self._health.components():
            self._up.labels(component.name).set(component.ok)
        self._depth.clear()
        for (kind, status), count in self._depths().items():
            self._depth.labels(kind, status).set(count)
        return generate_latest(self.registry)

    @staticmethod
    def _since_miss(histogram: Histogram, lead: Lead, recorded: Recorded) -> None:
        if lead.plan_at is not None:
            histogram.observe(max(0.0, (recorded.event.at - lead.plan_at).total_seconds()))
