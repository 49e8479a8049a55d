"""How long a text can become: a template with the values that the settings hold, in what the gateways can carry."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ari_app.recovery.templates import FIELD_LIMITS, Template, clean
from ari_app.settings.document import Document
from ari_app.settings.texts import SmppGateway
from sms_gateway.encoding import Alphabet, alphabet_for, sanitise, units
from sms_gateway.segments import Measure, measure


@dataclass(frozen=True, slots=True)
class Longest:
    """What a text costs at most.

    gateway: the one that it costs so much on, when that is for its alphabet's sake, else None.
    value: field and value that the alphabet does not hold, when the words around them are not to blame.
    foreign: the characters that the alphabet does not hold.
    """

    measure: Measure
    gateway: str | None
    alphabet: Alphabet
    value: tuple[str, str] | None
    foreign: tuple[str, ...]


def longest(template: Template, document: Document) -> Longest:
    """With every optional part in it, and every value as long as it can be, on the gateway where it costs most."""
    known = _values(document)
    fields = template.fields(required=True) | template.fields(required=False)
    values = {name: known.get(name) or ["x" * FIELD_LIMITS[name]] for name in sorted(fields)}
    found = [_on(template, values, gateway, alphabet) for gateway, alphabet in _alphabets(document)]
    return max(found, key=lambda one: (one.measure.segments, one.measure.units))


def _values(document: Document) -> dict[str, list[str]]:
    listings = [number.listing or "" for number in (*document.numbers.values(), document.number_defaults)]
    known = {
        "brokerage": [document.brokerage.name],
        "phone": [document.brokerage.phone],
        "office": [office.name for office in document.offices.values()],
        "listing": listings,
        "agent": [agent.name for agent in document.agents.values()],
        "time": ["12:00 pm"],
        "open_time": ["Dec 28 12:00 pm"],
    }
    return {
        name: list(dict.fromkeys(clean(value, FIELD_LIMITS[name]) for value in values))
        for name, values in known.items()
    }


def _alphabets(document: Document) -> Iterator[tuple[str | None, Alphabet]]:
    """What texts travel in: GSM 03.38, or what a gateway that a route names has instead."""
    yield None, Alphabet.GSM
    for name in dict.fromkeys(route.via for route in document.text_routes):
        gateway = document.gateways.get(name)
        if isinstance(gateway, SmppGateway) and gateway.alphabet.value != Alphabet.GSM:
            yield name, Alphabet(gateway.alphabet.value)


def _on(template: Template, values: dict[str, list[str]], gateway: str | None, alphabet: Alphabet) -> Longest:
    """One value that the alphabet does not hold makes the whole text UCS-2, where 70 units are a segment: each is tried."""

    def held(text: str) -> bool:
        return alphabet_for(sanitise(text), alphabet) is not Alphabet.UCS2

    def most(name: str, of: Alphabet) -> str:
        fitting = [value for value in values[name] if of is Alphabet.UCS2 or held(value)]
        return max(fitting or values[name], key=lambda value: units(sanitise(value), of))

    wide = {name: most(name, Alphabet.UCS2) for name in values}
    if held(template.render(dict.fromkeys(values, ""))):
        tries: list[tuple[tuple[str, str] | None, dict[str, str]]] = [
            ((name, value), {**wide, name: value}) for name in values for value in values[name] if not held(value)
        ]
        tries.append((None, {name: most(name, alphabet) for name in values}))
    else:
        tries = [(None, wide)]
    measured = [(measure(template.render(filled), alphabet), value) for value, filled in tries]
    worst, value = max(measured, key=lambda one: (one[0].segments, one[0].units))
    foreign = tuple(dict.fromkeys(char for char in worst.text if not held(char)))
    return Longest(worst, gateway, alphabet, value, foreign)
