"""Loading the settings: read, validate, check, compile. Every problem at once, each with its place."""

from __future__ import annotations

import typing
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from ari_app.recovery.policy import Policy
from ari_app.settings.check import check
from ari_app.settings.compiling import compile_policy
from ari_app.settings.document import Document
from ari_app.settings.problem import Mark, Problem, SettingsError, Severity, nearest
from ari_app.settings.secrets import SecretStore
from ari_app.settings.yaml_source import KeyPath, Source, read


@dataclass(frozen=True, slots=True)
class Settings:
    """Valid settings. path: the main file. warnings: what somebody will be surprised by."""

    path: Path
    document: Document
    policy: Policy
    warnings: tuple[Problem, ...]
    source: Source

    @property
    def base(self) -> Path:
        """The folder that relative paths count from."""
        return self.path.resolve().parent

    @property
    def data_folder(self) -> Path:
        return (self.base / self.document.data).resolve()

    def place(self, path: KeyPath) -> Mark:
        """Where a key stands."""
        return self.source.mark(path)

    def secrets(self) -> SecretStore:
        """The secrets that these settings refer to."""
        return SecretStore(self.data_folder / "secrets", self.base)


def load(path: Path) -> Settings:
    """The settings in ``path``. Raises SettingsError with every problem that was found."""
    source = read(path)
    try:
        document = Document.model_validate(source.data)
    except ValidationError as error:
        raise SettingsError(_problem(details, source) for details in _causes(error.errors())) from None
    findings = check(document, source)
    if any(problem.severity is Severity.ERROR for problem in findings):
        raise SettingsError(findings)
    return Settings(path, document, compile_policy(document), tuple(findings), source)


def _causes(errors: list[ErrorDetails]) -> Iterator[ErrorDetails]:
    """``errors`` without lists that are too short only because what stands in them is wrong."""
    for details in errors:
        loc = details["loc"]
        inside = any(other["loc"][: len(loc)] == loc and other is not details for other in errors)
        if details["type"] != "too_short" or not inside:
            yield details


_EXPECTED = {
    "int_type": "expected a whole number",
    "int_parsing": "expected a whole number",
    "float_type": "expected a number",
    "float_parsing": "expected a number",
    "finite_number": "expected a finite number",
    "bool_type": "expected true or false",
    "bool_parsing": "expected true or false",
    "string_type": "expected text",
    "dict_type": "expected a mapping",
    "model_type": "expected a mapping",
    "tuple_type": "expected a list",
    "list_type": "expected a list",
    "date_from_datetime_parsing": "expected a date such as 2026-12-25",
    "date_parsing": "expected a date such as 2026-12-25",
    "greater_than": "expected more than {gt}",
    "greater_than_equal": "expected at least {ge}",
    "less_than": "expected less than {lt}",
    "less_than_equal": "expected at most {le}",
    "string_too_short": "expected at least {min_length} characters",
    "string_too_long": "expected at most {max_length} characters",
    "too_short": "expected at least {min_length}",
    "too_long": "expected at most {max_length}",
    "ip_any_network": "expected an address or a network such as 203.0.113.0/24",
    "ip_v4_network": "expected an address or a network such as 203.0.113.0/24",
    "ip_v6_network": "expected an address or a network such as 2001:db8::/32",
}


def _problem(details: ErrorDetails, source: Source) -> Problem:
    """One finding of the types, in our words."""
    kind, value = details["type"], details.get("input")
    path, model = _place(details["loc"], source)
    hint: str | None = None
    context: dict[str, Any] = details.get("ctx") or {}
    if kind == "extra_forbidden":
        known = [] if model is None else list(model.model_fields)
        if model is Document:
            known.append("include")  # the reader has taken it before the types see the rest
        hint = nearest(path[-1], known) or (f"expected one of {', '.join(known)}" if known else None)
        return Problem(Severity.ERROR, source.mark(path, key=True), ".".join(path), "unknown key", hint)
    if kind == "missing":
        return Problem(Severity.ERROR, source.mark(path[:-1], key=True), ".".join(path), "expected, and not there")
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        path = (*path, "type")
        expected = str(context.get("expected_tags", "the known types"))
        what = (
            f"found {context['tag']!r}, expected one of {expected}" if "tag" in context else "expected, and not there"
        )
        return Problem(Severity.ERROR, source.mark(path), ".".join(path), what)
    if kind in ("value_error", "assertion_error"):
        what = str(context.get("error", details["msg"]))
    elif kind in ("enum", "literal_error"):
        expected = str(context.get("expected", ""))
        what = f"found {value!r}, expected {expected}"
        hint = nearest(str(value), [word.strip(" '") for word in expected.replace(" or ", ",").split(",")])
    elif kind == "string_pattern_mismatch":
        what = f"found {value!r}, expected {_pattern_words(str(context.get('pattern', '')))}"
    elif kind in _EXPECTED:
        what = f"found {_shown(value)}, {_EXPECTED[kind].format(**context)}"
    else:
        what = f"found {_shown(value)}: {details['msg'][:1].lower()}{details['msg'][1:]}"
    return Problem(Severity.ERROR, source.mark(path, key="[key]" in details["loc"]), ".".join(path), what, hint)


def _place(loc: tuple[int | str, ...], source: Source) -> tuple[KeyPath, type[BaseModel] | None]:
    """The key path of a finding, without the tags that pydantic adds for unions; and the model that holds its key."""
    model: Any = Document
    holder: type[BaseModel] | None = None
    path: list[str] = []
    for part in loc:
        text = str(part)
        if text == "[key]":
            continue
        candidate = (*path, text)
        known = candidate in source.keys or candidate in source.values
        member = None if known else _member(model, text)
        if member is not None:
            model = member
            continue
        path.append(text)
        holder = model if isinstance(model, type) and issubclass(model, BaseModel) else None
        model = _inside(model, text)
    return tuple(path), holder


def _inside(model: Any, name: str) -> Any:
    """The annotation of what stands under ``name`` in ``model``."""
    if isinstance(model, type) and issubclass(model, BaseModel):
        field = model.model_fields.get(name)
        return None if field is None else _stripped(field.annotation)
    arguments = typing.get_args(model)
    return _stripped(arguments[-1] if typing.get_origin(model) is dict else arguments[0]) if arguments else None


def _stripped(annotation: Any) -> Any:
    """``annotation`` without Annotated and without ``| None``."""
    while typing.get_origin(annotation) is typing.Annotated:
        annotation = typing.get_args(annotation)[0]
    if type(None) in typing.get_args(annotation):
        rest = [part for part in typing.get_args(annotation) if part is not type(None)]
        return _stripped(rest[0]) if len(rest) == 1 else annotation
    return annotation


def _member(model: Any, tag: str) -> Any:
    """The member of a union that carries the tag ``tag`` in its ``type``."""
    for member in typing.get_args(model):
        if isinstance(member, type) and issubclass(member, BaseModel):
            field = member.model_fields.get("type")
            if field is not None and tag in typing.get_args(field.annotation):
                return member
    return None


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list"
    return "nothing" if value is None else repr(value)


def _pattern_words(pattern: str) -> str:
    """What a pattern of ours means, in words."""
    return {
        r"^[A-Za-z0-9][A-Za-z0-9_-]{0,39}$": "a name: letters, digits, _ and -, at most 40",
        r"^[A-Za-z0-9.:_-]+$": "a host name or an address",
        r"^[0-9*#]{1,16}$": "an extension: digits, * and #",
        r"^[A-Z]{2}$": "a country as two capitals, such as US",
        r"^[^@\s<>,;\"]+@[^@\s<>,;\"]+\.[^@\s<>,;\"]+$": "an e-mail address",
        r"^[^\x00-\x1f\x7f]+$": "text on one line",
        r"^[^\x00-\x08\x0b-\x1f\x7f]+$": "text without control characters",
        r"^[a-z]{2}(-[A-Z]{2})?$": "a language such as en or es-US",
        r"^https?://[^\s]+$": "an address that begins with https://",
        r"^\+?[0-9XZN]{2,20}[.]?$": "what may be dialled: digits, X, Z and N, perhaps a last dot",
        r"^[A-Za-z0-9._+@-]+$": "a SIP user: letters, digits and . _ + @ -",
        r"^[a-z0-9]+$": "a codec such as ulaw",
        r"^\+?[0-9]{0,6}$": "a plus, nothing, or up to six digits such as 011",
        r"^[\x21-\x7e]+$": "ASCII without spaces",
        r"^[\x20-\x7e]*$": "ASCII",
        r"^\+?[0-9A-Za-z ]{1,15}$": "a sender: a number or up to 15 letters and digits",
    }.get(pattern, f"something that matches {pattern}")
