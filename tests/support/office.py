"""A small brokerage for tests: its settings as YAML text, and what is built from them."""

from __future__ import annotations

from pathlib import Path

from ari_app.recovery.policy import Policy
from ari_app.settings.loading import Settings, load

OFFICE = """\
version: 1
data: var
brokerage: {name: Harbor Realty, phone: "+13055550199", country: US, time_zone: America/New_York}
offices:
  miami: {name: Miami, hours: business}
  keys: {name: Key West, hours: business}
hours:
  business: {week: {mon-fri: 9:00-18:00}}
agents:
  ana: {name: Desk A, email: ana@harbor.example, phone: "101"}
  bob: {name: Desk B, email: bob@harbor.example, phone: "102", mobile: "+13055550181"}
  cleo: {name: Floor, email: floor@harbor.example, phone: "103"}
groups:
  front: {phones: ["101", "102"], agents: [ana, bob]}
  floor: {phones: ["103"], agents: [cleo]}
number_defaults: {office: miami, group: front, plan: standard}
numbers:
  _1305555010X: {source: Main line}
  "13055550107": {source: Yard sign, listing: 12 Ocean Drive}
  "13055550109": {office: keys, group: floor, plan: brief}
blocked: ["13055550666"]
plans:
  standard:
    - text: missed
      after_hours: missed_after_hours
    - call
    - alert: agent
    - push
    - wait: 10m unless acknowledged
    - alert: floor
    - wait: 5m unless engaged, reached
    - email: follow_up
    - push
  brief: [{text: missed}, push]
templates:
  texts:
    missed: >-
      {brokerage} (automated): sorry[ {name}] we missed your {time} call[ on {listing}].
      Are you buying or selling? STOP to opt out.
    missed_after_hours: "{brokerage} (automated): closed now.[ Back {open_time}.] Buying or selling? STOP to opt out."
  emails:
    follow_up: {subject: "Your call to {brokerage}", body: "We missed your call at {time}. {phone}"}
callback: {to: ["_1NXXNXXXXXX"], trunk: carrier}
limits: {alike_per_hour: 1000000, per_hour: 1000000, per_number_per_day: 1000000}
quiet_hours: {contact: 8:00-21:00, texts: hold}
gateways:
  sms: {type: smpp, host: 127.0.0.1, port: 2775, system_id: ringback, password: {env: RINGBACK_TEST_SMPP}}
text_routes: [{to: _1NXXNXXXXXX, via: sms}]
email: {host: 127.0.0.1, port: 2525, security: none, sender: ringback@harbor.example}
crm: {file: {type: jsonl, file: leads.jsonl}}
phones: {"101": {name: A}, "102": {name: B}, "103": {name: C}}
trunks: {carrier: {host: 127.0.0.1, match: [127.0.0.1]}}
"""


def settings(folder: Path, *changes: tuple[str, str], text: str = OFFICE) -> Settings:
    """The office's settings, written to ``folder``; ``changes`` are (old, new) pieces of the YAML."""
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    path = folder / "ringback.yaml"
    path.write_text(text, encoding="utf-8")
    return load(path)


def policy(folder: Path, *changes: tuple[str, str]) -> Policy:
    """The office's policy."""
    return settings(folder, *changes).policy
