"""Numbers as the network writes them."""

from __future__ import annotations

import pytest

from ari_app import numbering
from ari_app.recovery.values import NumberKind


@pytest.mark.parametrize("raw", ["+13055550123", "13055550123", "3055550123", "(305) 555-0123", "1-305-555-0123"])
def test_a_number_is_the_same_however_it_is_written(raw: str) -> None:
    party = numbering.classify(raw, "US")
    assert (party.number, party.kind) == ("+13055550123", NumberKind.ORDINARY)


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        ("anonymous", NumberKind.WITHHELD),
        (None, NumberKind.WITHHELD),
        ("sip:someone", NumberKind.MALFORMED),
        ("+19995550123", NumberKind.MALFORMED),
        ("+1305555012", NumberKind.MALFORMED),
        ("+18005550199", NumberKind.SPECIAL),
        ("+442079460018", NumberKind.FOREIGN),
        ("+16045550123", NumberKind.FOREIGN),
    ],
)
def test_a_number_is_told_from_what_cannot_be_contacted(raw: str | None, kind: NumberKind) -> None:
    assert numbering.classify(raw, "US").kind is kind


def test_a_number_that_is_longer_than_e164_allows_is_no_number() -> None:
    assert numbering.classify("+49557950011912001", "US").kind is NumberKind.MALFORMED
