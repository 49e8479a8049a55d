"""Damaged messages of every kind, and cases that search has found once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import settings as rules
from hypothesis import strategies as st

from tests.fuzz.damage import damaged
from tests.fuzz.oracles import ORACLES
from tests.fuzz.samples import SAMPLES

EXAMPLES = {"settings": 60}
"""Loading settings takes tens of milliseconds; the others are read in microseconds."""


def test_every_oracle_has_samples_that_are_whole() -> None:
    assert SAMPLES.keys() == ORACLES.keys()
    for name, samples in SAMPLES.items():
        for sample in samples:
            ORACLES[name](sample)


FOUND = {
    "ami_stream": [
        b"\x00cutEvent: FullyBooted\r\nEvent: Shutdown\r\n\r\n",
        b"\x00cutResponse: Success\r\nActionID: 1\r\nActionID: 2\r\n\r\n",
    ],
    "cdr": [
        SAMPLES["cdr"][0].replace(b"1795479151.090496", b"1" * 40),
        SAMPLES["cdr"][0].replace(b"1795479151.090496", b"9" * 17),
        SAMPLES["cdr"][0].replace(b"ring-groups", b"x" * 140_000),
    ],
    "cel": [SAMPLES["cel"][0].replace(b"1795478778.014364", b"inf")],
    "spool": [SAMPLES["spool"][0].replace(b"1795479151.5", b"1e300")],
}
"""What broke us once, by oracle."""


@pytest.mark.parametrize(("name", "data"), [(name, data) for name, cases in FOUND.items() for data in cases])
def test_what_broke_us_once_does_not_break_us_again(name: str, data: bytes) -> None:
    ORACLES[name](data)


@pytest.mark.parametrize("name", ORACLES)
def test_what_is_damaged_is_understood_or_refused(name: str) -> None:
    @rules(max_examples=EXAMPLES.get(name, 300), deadline=None)
    @given(st.integers(0, 2**32))
    def holds(seed: int) -> None:
        ORACLES[name](damaged(SAMPLES[name], seed))

    holds()


@pytest.mark.parametrize("name", ORACLES)
def test_what_is_nothing_like_it_is_understood_or_refused(name: str) -> None:
    @rules(max_examples=EXAMPLES.get(name, 150), deadline=None)
    @given(st.binary(max_size=120) | st.text(max_size=60).map(lambda text: text.encode("utf-8", "surrogatepass")))
    def holds(data: bytes) -> None:
        ORACLES[name](data)

    holds()
