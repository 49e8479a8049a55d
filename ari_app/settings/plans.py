"""Sections ``plans`` and ``templates``: what happens after a miss, step by step, and in which words."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator

from ari_app.recovery.policy import (
    AlertStep,
    CallStep,
    Condition,
    EmailStep,
    Plan,
    PlanStep,
    PushStep,
    TextStep,
    WaitStep,
)
from ari_app.recovery.templates import FIELD_LIMITS, Template, TemplateError
from ari_app.settings.model import LONGEST_SECONDS, Duration, Section
from ari_app.settings.pbx import Name
from ari_app.settings.problem import nearest

_WAIT = re.compile(r"^(?P<time>\S+)\s+unless:?\s+(?P<conditions>[a-z ,]+)$")
_CONDITIONS = "|".join(Condition)
_UNLESS = rf"({_CONDITIONS})((,| or|,? ) *({_CONDITIONS}))*"
_WAIT_SCHEMA = {
    "anyOf": [
        {"type": "number", "minimum": 0, "maximum": LONGEST_SECONDS},
        {"type": "string", "pattern": rf"^\s*\d+(\.\d+)?\s*(ms|s|m|h|d)(\s+unless:?\s+{_UNLESS})?\s*$"},
        {"type": "null"},
    ],
    "examples": ["10m", "10m unless acknowledged", "5m unless engaged, reached"],
}
_UNLESS_SCHEMA = {
    "anyOf": [
        {"type": "string", "pattern": f"^{_UNLESS}$"},
        {"type": "array", "items": {"enum": [*Condition]}},
    ]
}


def check_template(value: Any) -> Any:
    """``value`` unchanged if it is a template. Raises ValueError that names the character."""
    if isinstance(value, str):
        try:
            Template.parse(value.strip())
        except TemplateError as error:
            hint = None if error.name is None else nearest(error.name, FIELD_LIMITS)
            raise ValueError(f"character {error.at + 1}: {error.why}" + (f"; {hint}" if hint else "")) from None
    return value


TemplateText = Annotated[str, BeforeValidator(check_template), Field(min_length=1, max_length=2000)]


def _also_short(schema: dict[str, Any]) -> None:
    """Put the short forms beside the long one."""
    long = {name: value for name, value in schema.items() if name != "description"}
    for name in long:
        del schema[name]
    schema["anyOf"] = [{"enum": ["call", "push"]}, long]


class StepSection(Section):
    """One step. Exactly one of text, call, alert, wait, email and push; ``call`` and ``push`` may stand alone."""

    model_config = ConfigDict(json_schema_extra=_also_short)

    text: Name | None = None
    after_hours: Name | None = None
    """Beside ``text``: the template while the office is closed."""
    late: Name | None = None
    """Beside ``text``: the template for a miss that Ringback learned of late (texts.late). None: a person is told instead."""
    call: bool | None = None
    alert: Name | None = None
    """``agent`` (the one assigned), or the name of an agent or group."""
    wait: Annotated[Duration | None, WithJsonSchema(_WAIT_SCHEMA)] = None
    unless: Annotated[tuple[Condition, ...], WithJsonSchema(_UNLESS_SCHEMA)] = ()
    email: Name | None = None
    push: bool | None = None

    @model_validator(mode="before")
    @classmethod
    def _short_forms(cls, value: Any) -> Any:
        if isinstance(value, str) and value in ("call", "push"):
            return {value: True}
        if isinstance(value, str):
            raise ValueError(f"found {value!r}; expected call, push, or a step with a value such as 'alert: agent'")
        if isinstance(value, dict):
            value = dict(value)
            for name in ("call", "push"):
                if name in value and value[name] is None:
                    value[name] = True
            found = _WAIT.match(value["wait"]) if isinstance(value.get("wait"), str) else None
            if found is not None and "unless" not in value:
                value["wait"], value["unless"] = found["time"], found["conditions"]
            if isinstance(value.get("unless"), str):
                value["unless"] = [word for word in re.split(r"[ ,]+", value["unless"]) if word not in ("", "or")]
        return value

    @model_validator(mode="after")
    def _one_thing(self) -> StepSection:
        named = [name for name in STEPS if getattr(self, name) not in (None, False)]
        if len(named) != 1:
            found = " and ".join(named) or "none"
            raise ValueError(f"found {found}; expected exactly one of {', '.join(STEPS)} in a step")
        if self.unless and self.wait is None:
            raise ValueError("unless belongs to a wait")
        if self.after_hours is not None and self.text is None:
            raise ValueError("after_hours belongs to a text")
        if self.late is not None and self.text is None:
            raise ValueError("late belongs to a text")
        return self

    def compile(self) -> PlanStep:
        """The step as the core knows it."""
        if self.text is not None:
            return TextStep(self.text, self.after_hours or self.text, self.late)
        if self.alert is not None:
            return AlertStep(self.alert)
        if self.wait is not None:
            return WaitStep(self.wait, self.unless)
        if self.email is not None:
            return EmailStep(self.email)
        return CallStep() if self.call else PushStep()


STEPS = ("text", "call", "alert", "wait", "email", "push")

PlanSection = Annotated[
    tuple[StepSection, ...],
    Field(min_length=1, max_length=50),
]


def compile_plan(name: str, steps: tuple[StepSection, ...]) -> Plan:
    return Plan(name, tuple(step.compile() for step in steps))


class EmailTemplateSection(Section):
    subject: Annotated[TemplateText, Field(max_length=200)]
    body: TemplateText


class RepliesSection(Section):
    """Automatic answers to the keywords (REV-04, REV-08). One confirmation, no marketing."""

    stop: TemplateText = (
        "{brokerage}: you are unsubscribed and will get no more texts or calls. Reply START to allow texts again."
    )
    start: TemplateText = "{brokerage}: you may get texts again. Reply HELP for help, STOP to opt out."
    help: TemplateText = (
        "{brokerage}: we text people who called us. A person: {phone}. Msg&data rates may apply. Reply STOP to opt out."
    )


class Templates(Section):
    texts: dict[Name, TemplateText] = Field(default_factory=dict)
    emails: dict[Name, EmailTemplateSection] = Field(default_factory=dict)
    replies: RepliesSection = RepliesSection()
