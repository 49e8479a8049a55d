"""Changed copies are those of ``dataclasses.replace``."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from typing import Any

import pytest

from ari_app.recovery.copying import replace
from ari_app.recovery.lead import Lead
from ari_app.recovery.values import E164, LeadId, Stage

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
