"""Sections ``numbers`` and ``number_defaults``: what callers dial, and what belongs to it."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema

from ari_app.recovery.patterns import Pattern, PatternError
from ari_app.recovery.policy import AfterMiss
from ari_app.recovery.values import Verdict
from ari_app.settings.brokerage import Words
from ari_app.settings.model import Section
from ari_app.settings.pbx import Name


def read_pattern(text: str) -> Pattern:
    """A pattern for numbers in international form; a leading ``+`` may stand or not. Raises PatternError."""
    body = text.removeprefix("_")
    plain = body.removeprefix("+")
    parsed = Pattern.parse(("_" if text.startswith("_") else "") + plain)
    if any("+" in chars for chars in parsed.sets):
        raise PatternError(text, text.rfind("+"), "a plus can only stand in front")
    return parsed


def check_pattern(value: Any) -> Any:
    """``value`` unchanged if it is a pattern. Raises ValueError that names the character."""
    if isinstance(value, str):
        read_pattern(value)
    return value


DialPattern = Annotated[
    str,
    BeforeValidator(check_pattern),
    WithJsonSchema({"type": "string", "description": "A number, or _ and Asterisk's pattern: _1305555010X"}),
]

COUNTING = (Verdict.NO_ANSWER, Verdict.BUSY, Verdict.UNREACHABLE, Verdict.AFTER_HOURS, Verdict.ABANDONED)
"""Verdicts that may start a plan."""


class NumberSection(Section):
    """One number or pattern. What is not given here is taken from ``number_defaults``."""

    office: Name | None = None
    group: Name | None = None
    plan: Name | None = None
    after_hours_plan: Name | None = None
    source: Words | None = None
    """Where the number is printed: what the CRM calls the lead's source."""
    listing: Annotated[Words, Field(max_length=40)] | None = None
    """The property behind the number, as texts name it."""
    rings: int | None = Field(default=None, ge=1, le=20)
    after_miss: AfterMiss | None = None
    overflow: Name | None = None
    """The group that rings on, for ``after_miss: overflow``."""
    ring_after_hours: bool | None = None
    counts: tuple[Verdict, ...] | None = None
    """Verdicts that start the plan."""
    abandoned_rings: int | None = Field(default=None, ge=0, le=20)
    """An abandoned call counts when this many rings were over."""


BUILT_IN = NumberSection(
    rings=3,
    after_miss=AfterMiss.PROMPT,
    ring_after_hours=False,
    counts=COUNTING,
    abandoned_rings=1,
)
"""What holds when neither the number nor ``number_defaults`` says it."""


def effective(number: NumberSection, defaults: NumberSection) -> NumberSection:
    """``number``, completed from ``defaults`` and from what is built in."""
    merged = {
        name: next(
            (value for value in (getattr(layer, name) for layer in (number, defaults, BUILT_IN)) if value is not None),
            None,
        )
        for name in NumberSection.model_fields
    }
    return NumberSection.model_construct(**merged)
