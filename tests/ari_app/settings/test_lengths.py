"""What a text can cost at most."""

from __future__ import annotations

import itertools
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from ari_app.recovery.templates import Template
from ari_app.settings.compiling import text_template
from ari_app.settings.lengths import _on, longest
from ari_app.settings.loading import load
from sms_gateway.encoding import Alphabet
from sms_gateway.segments import measure

OFFICE = (Path(__file__).parent / "brokerage.yaml").read_text(encoding="utf-8")
SPANISH = "{brokerage}: ¿mañana[ {name}]? STOP"


def check(folder: Path, *pairs: tuple[str, str]) -> list[str]:
    text = OFFICE
    for old, new in pairs:
        assert old in text, old
        text = text.replace(old, new, 1)
    path = folder / "ringback.yaml"
    path.write_text(text, encoding="utf-8")
    return [f"{found.where}: {found.what} ({found.hint})" for found in load(path).warnings]


def question(words: str) -> tuple[str, str]:
    return "Are you buying or selling? STOP", words


def test_the_shorter_of_two_values_costs_more_when_it_leaves_the_alphabet(tmp_path: Path) -> None:
    long = ("listing: 12 Ocean Drive", 'listing: "12 Ocean Drive, Apt 9"')
    assert check(tmp_path, long) == []
    accented = ('"13055550109": {', '"13055550109": {listing: Vía Sol 5, ')
    assert check(tmp_path, long, accented) == [
        (
            "templates.texts.missed: up to 140 ucs2 units, 3 segments with the listing 'Vía Sol 5'; expected one segment "
            "when every value is at its longest (not in the GSM alphabet: í)"
        )
    ]


def test_the_alphabet_is_that_of_the_gateway_which_a_route_names(tmp_path: Path) -> None:
    spanish = question("¿Compra o alquila una casa este año? STOP")
    assert check(tmp_path, spanish) == []
    ascii_only = ("port: 2775,", "port: 2775, alphabet: ascii,")
    assert check(tmp_path, spanish, ascii_only) == [
        (
            "templates.texts.missed: up to 155 ucs2 units, 3 segments; expected one segment when every value is at its "
            "longest (not in the ascii of gateways.sms: ¿ ñ)"
        )
    ]
    unused = "  spare: {type: smpp, host: 127.0.0.1, alphabet: ascii, system_id: x, password: {env: X}}\ntext_routes:"
    assert check(tmp_path, spanish, ("text_routes:", unused)) == []


def test_words_outside_of_the_alphabet_are_to_blame_before_any_value(tmp_path: Path) -> None:
    accented = ('"13055550109": {', '"13055550109": {listing: Vía Sol 5, ')
    [warning] = check(tmp_path, question("Buying? 🏡 STOP"), accented)
    assert "segments; expected" in warning
    assert "🏡" in warning


def test_a_field_without_values_counts_as_long_as_it_may_be(tmp_path: Path) -> None:
    path = tmp_path / "ringback.yaml"
    path.write_text(OFFICE, encoding="utf-8")
    found = longest(text_template("{brokerage}[ {name}]"), load(path).document)
    assert found.measure.units == len("Harbor Realty") + 1 + 20


WORDS = st.text(alphabet="aZ€ñéÂ🏡ů ", max_size=20)


@settings(max_examples=200)
@given(
    words=WORDS,
    values=st.fixed_dictionaries(
        {name: st.lists(WORDS, min_size=1, max_size=4) for name in ("office", "listing", "agent")}
    ),
    alphabet=st.sampled_from([Alphabet.GSM, Alphabet.GSM_PACKED, Alphabet.LATIN1, Alphabet.ASCII]),
)
def test_no_combination_of_values_costs_more_than_what_was_found(
    words: str, values: dict[str, list[str]], alphabet: Alphabet
) -> None:
    # Blanks stay blanks: what counts here is the choice among values, not how they are cleaned.
    values = {name: ["".join(value.split()) for value in found] for name, found in values.items()}
    template = Template.parse(f"{'x' * 40}{words}[ a {{office}}][ b {{listing}}][ c {{agent}}]")
    found = _on(template, values, None, alphabet)
    costs = [
        measure(template.render(dict(zip(values, one, strict=True))), alphabet)
        for one in itertools.product(*values.values())
    ]
    assert found.measure.segments == max(cost.segments for cost in costs)
