"""The brokerage of the benches without a PBX: its settings, and the missed calls that are recorded in it."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from ari_app.recovery.events import CallMissed
from ari_app.recovery.values import E164, NumberKind, Verdict
from ari_app.settings.loading import Settings, load
from tests.bench.machine import ROOT

SETTINGS = """\
version: 1
data: data
brokerage: {{name: Harbor Realty, phone: "+13055550199", country: US, time_zone: America/New_York}}
offices: {{miami: {{name: Miami, hours: always}}}}
hours: {{always: {{week: {{mon-sun: 0:00-24:00}}}}}}
agents: {{ana: {{name: Ana, email: ana@harbor.example, phone: "101"}}}}
groups: {{front: {{phones: ["101"], agents: [ana]}}}}
number_defaults: {{office: miami, group: front, plan: texting}}
numbers:
  _1305555010X: {{source: Main line}}
  "13055550107": {{source: Yard sign, listing: 12 Ocean Drive, plan: standard}}
plans:
  texting: [{{text: missed}}]
  standard:
    - text: missed
    - call
    - alert: agent
    - push
    - wait: 10m unless acknowledged
    - alert: front
    - wait: 5m unless engaged, reached
    - push
templates:
  texts:
    missed: >-
      {{brokerage}} (automated): sorry[ {{name}}] we missed your {{time}} call[ on {{listing}}].
      Are you buying or selling? STOP to opt out.
callback: {{to: ["_1NXXNXXXXXX"], trunk: carrier}}
limits: {{alike_per_hour: 1000000, per_hour: 1000000, per_number_per_day: 1000000}}
quiet_hours: {{contact: 0:00-24:00, texts: send}}
gateways:
  sms: {{type: smpp, host: 127.0.0.1, port: {port}, system_id: bench, password: {{env: RINGBACK_BENCH_SMPP}}, window: {window},
        per_second: 1000000}}
text_routes: [{{to: _1NXXNXXXXXX, via: sms}}]
email: {{host: 127.0.0.1, port: 2525, security: none, sender: ringback@harbor.example}}
crm: {{file: {{type: jsonl, file: leads.jsonl}}}}
phones: {{"101": {{name: A}}}}
trunks: {{carrier: {{host: 127.0.0.1, match: [127.0.0.1]}}}}
"""

TEXTING, STANDARD = "+13055550100", "+13055550107"
"""Numbers of the brokerage: the first one's plan is a text and no more, the second one's is the usual line of steps."""


def disk() -> Path:
    """A folder on the disk that the checkout is on: /tmp may be memory, and memory needs no syncing."""
    folder = ROOT / "var" / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def settings(folder: Path, *, port: int = 2775, window: int = 10) -> Settings:
    """Written to ``folder`` and loaded."""
    path = folder / "ringback.yaml"
    path.write_text(SETTINGS.format(port=port, window=window), encoding="utf-8")
    return load(path)


def caller(number: int) -> E164:
    """The n-th caller's number, from 0 to 3,999,999: ordinary numbers of Florida and New York."""
    area, rest = divmod(number, 1_000_000)
    return E164(f"+1{('305', '786', '212', '646')[area]}2{rest:06d}")


def missed_call(number: int, at: datetime, dialled: str = TEXTING) -> CallMissed:
    """The n-th caller's call, missed and over."""
    person = caller(number)
    return CallMissed(
        at=at,
        source_id=f"call:{person}:{at.timestamp():.6f}",
        call_id=f"{at.timestamp():.6f}.{number}",
        caller=person,
        kind=NumberKind.ORDINARY,
        dialled=dialled,
        office="miami",
        entry="_1305555010X" if dialled == TEXTING else "13055550107",
        verdict=Verdict.NO_ANSWER,
        rings=3,
        ring_seconds=18.0,
        on_line=False,
        plan="texting" if dialled == TEXTING else "standard",
        source="Main line",
        listing=None,
        caller_name=None,
    )
