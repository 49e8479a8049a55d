"""Changed copies are those of ``dataclasses.replace``."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from typing import Any

import pytest

from ari_app.recovery.copying import made_of, replace
from ari_app.recovery.lead import Lead
from ari_app.recovery.values import E164, LeadId, Line, Stage

LEAD = Lead(
    lead_id=LeadId(7),
    number=E164("+13055550123"),
    office="miami",
    dialled="+13055550100",
    opened_at=datetime(2026, 1, 5, 12, 0, tzinfo=UTC),
    replies=("Buying",),
)


def test_a_copy_differs_in_what_was_changed_and_in_nothing_else() -> None:
    changes: dict[str, Any] = {"stage": Stage.TEXTING, "cursor": 2, "replies": ()}
    assert replace(LEAD, **changes) == dataclasses.replace(LEAD, **changes)
    assert LEAD.cursor == 0


def test_a_field_that_there_is_none_of_is_refused() -> None:
    changes: dict[str, Any] = {"colour": "red"}
    with pytest.raises(TypeError, match="Lead has no field 'colour'"):
        replace(LEAD, **changes)


def test_a_value_made_of_its_fields_is_as_its_constructor_makes_it() -> None:
    needed: dict[str, Any] = {
        name: getattr(LEAD, name) for name in ("lead_id", "number", "office", "dialled", "opened_at")
    }
    made = made_of(Lead)({**needed, "replies": ("Buying",)})
    assert made == LEAD
    assert dataclasses.asdict(made) == dataclasses.asdict(LEAD)
    with pytest.raises(dataclasses.FrozenInstanceError):
        made.cursor = 1
    with pytest.raises(TypeError, match="missing 1 required keyword-only argument: 'office'"):
        made_of(Lead)({name: value for name, value in needed.items() if name != "office"})


def test_where_a_class_has_slots_or_looks_at_its_fields_its_constructor_makes_the_value() -> None:
    assert made_of(Line)({"speaker": "caller", "text": "yes", "at_seconds": 1.0}) == Line("caller", "yes", 1.0)

    @dataclasses.dataclass(frozen=True)
    class Careful:
        count: int

        def __post_init__(self) -> None:
            if self.count < 0:
                raise ValueError("less than nothing")

    assert made_of(Careful)({"count": 1}) == Careful(1)
    with pytest.raises(ValueError, match="less than nothing"):
        made_of(Careful)({"count": -1})
