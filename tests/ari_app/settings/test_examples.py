"""The files in ``config/`` are right, name every key there is, and say what holds when a key is not given.

A line that begins with ``#`` and no blank behind it, or with two, is a setting that stands commented out.
"""

from __future__ import annotations

import json
import re
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
from click.testing import CliRunner
from pydantic import BaseModel, ValidationError

from ari_app.cli.settings_commands import schema as schema_command
from ari_app.settings.compiling import text_template
from ari_app.settings.document import Document
from ari_app.settings.lengths import longest
from ari_app.settings.loading import load
from ari_app.settings.plans import StepSection
from ari_app.settings.schema import json_schema
from ari_app.settings.yaml_source import read

CONFIG = Path(__file__).parents[3] / "config"
MAIN = CONFIG / "ringback.yaml"
STORED = CONFIG / "ringback.schema.json"
_COMMENTED_OUT = re.compile(r"^#(?=  |\S)", re.MULTILINE)


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The examples with every commented setting in force."""
    folder = tmp_path_factory.mktemp("config")
    for path in CONFIG.glob("*.yaml"):
        (folder / path.name).write_text(_COMMENTED_OUT.sub("", path.read_text(encoding="utf-8")), encoding="utf-8")
    (folder / "models" / "vosk-model-small-en-us-0.15").mkdir(parents=True)
    (folder / "models" / "en_US-lessac-medium.onnx").touch()
    return folder / "ringback.yaml"


def validator() -> Any:
    return jsonschema.Draft202012Validator(json_schema())


def models(annotation: Any, data: Any) -> Iterator[tuple[type[BaseModel], dict[str, Any]]]:
    """Every model of the settings with every piece of ``data`` that stands for one."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        piece = data if isinstance(data, dict) else {}
        yield annotation, piece
        for name, field in annotation.model_fields.items():
            yield from models(field.annotation, piece.get(name))
        return
    arguments = typing.get_args(annotation)
    origin = typing.get_origin(annotation)
    if origin is dict:
        for inner in data.values() if isinstance(data, dict) and data else [None]:
            yield from models(arguments[1], inner)
    elif origin is tuple:
        for inner in data if isinstance(data, list) and data else [None]:
            yield from models(arguments[0], inner)
    elif origin is typing.Annotated:
        yield from models(arguments[0], data)
    else:
        members = [member for member in arguments if isinstance(member, type) and issubclass(member, BaseModel)]
        for member in members:
            tags = typing.get_args(member.model_fields["type"].annotation) if "type" in member.model_fields else ()
            given = data.get("type") if isinstance(data, dict) else None
            yield from models(member, data if not tags or given in tags else None)


def keys_of(data: Any) -> dict[type[BaseModel], set[str]]:
    """The keys that stand in ``data``, by model."""
    found: dict[type[BaseModel], set[str]] = {}
    for model, piece in models(Document, data):
        found.setdefault(model, set()).update(piece)
    return found


def test_the_examples_are_usable_and_surprise_nobody() -> None:
    assert load(MAIN).warnings == ()


def test_the_examples_are_usable_with_every_commented_setting_in_force(everything: Path) -> None:
    assert [str(warning) for warning in load(everything).warnings] == []


@pytest.mark.parametrize("name", ["missed", "missed_after_hours", "missed_late"])
def test_every_first_text_names_who_writes_to_whom_about_what_asks_once_and_fits_one_segment(name: str) -> None:
    document = load(MAIN).document
    text = text_template(document.templates.texts[name])
    named = text.fields(required=True) | text.fields(required=False)
    assert named >= {"brokerage", "name", "listing"}
    assert (text.source.count("?"), text.source.count("STOP")) == (1, 1)
    assert longest(text, document).measure.segments == 1


def test_every_key_stands_in_the_examples(everything: Path) -> None:
    missing = {
        f"{model.__name__}.{name}"
        for model, found in keys_of(read(everything).data).items()
        for name in set(model.model_fields) - found
    }
    assert missing == set()


def test_every_commented_setting_shows_what_holds_without_it(everything: Path) -> None:
    active = keys_of(read(MAIN).data)
    wrong = []
    for model, piece in models(Document, read(everything).data):
        for name in set(piece) - active.get(model, set()) - {"type"}:
            field = model.model_fields[name]
            default = field.get_default(call_default_factory=True)
            if field.is_required() or default in (None, (), {}) or isinstance(default, BaseModel):
                continue  # no default that a line could show
            whole = model.model_validate(piece)
            if getattr(whole, name) != default:
                wrong.append(f"{model.__name__}.{name}: {piece[name]!r}, the default is {default!r}")
    assert wrong == []


def test_the_stored_schema_is_the_schema() -> None:
    printed = CliRunner().invoke(schema_command).output
    assert json.loads(printed) == json_schema()
    assert STORED.read_text(encoding="utf-8") == printed, "ringback schema > config/ringback.schema.json"


def test_the_schema_is_a_schema_and_the_examples_fit_it(everything: Path) -> None:
    jsonschema.Draft202012Validator.check_schema(json_schema())
    for path in (MAIN, everything):
        assert [error.message for error in validator().iter_errors(read(path).data)] == []


def test_the_main_file_alone_fits_the_schema_as_an_editor_sees_it() -> None:
    alone = read(MAIN).data | {"include": ["people.yaml"]}
    for section in ("agents", "groups", "templates"):
        del alone[section]
    assert [error.message for error in validator().iter_errors(alone)] == []


STEP = {"$ref": "#/$defs/StepSection"}


@pytest.mark.parametrize(
    "step",
    [
        "call",
        "push",
        {"call": None},
        {"push": True},
        {"text": "missed", "after_hours": "missed_after_hours"},
        {"alert": "agent"},
        {"wait": 600},
        {"wait": "10m"},
        {"wait": "10m unless acknowledged"},
        {"wait": "10m unless: engaged, reached"},
        {"wait": "1.5h unless engaged or reached"},
        {"wait": "10m", "unless": "acknowledged"},
        {"wait": "10m", "unless": ["acknowledged", "engaged"]},
        {"email": "follow_up"},
    ],
    ids=str,
)
def test_the_schema_and_the_reader_take_every_form_of_a_step(step: Any) -> None:
    one = jsonschema.Draft202012Validator({**STEP, "$defs": json_schema()["$defs"]})
    assert [error.message for error in one.iter_errors(step)] == []
    StepSection.model_validate(step)


@pytest.mark.parametrize(
    "step", ["cal", "wait", {"wait": "10 minutes"}, {"wait": "10m unless happy"}, {"txt": "missed"}, 5]
)
def test_the_schema_and_the_reader_refuse_what_is_no_step(step: Any) -> None:
    one = jsonschema.Draft202012Validator({**STEP, "$defs": json_schema()["$defs"]})
    assert not one.is_valid(step)
    with pytest.raises(ValidationError):
        StepSection.model_validate(step)


def test_the_schema_refuses_what_the_types_refuse() -> None:
    data = read(MAIN).data
    for path, value in (("version", 2), ("dta", "x"), ("brokerage", {"name": "x"}), ("numbers", {})):
        assert not validator().is_valid(data | {path: value})
    assert not validator().is_valid(data | {"gateways": {"sms": {"type": "smp"}}})


def test_keys_of_the_schema_tell_editors_what_they_mean() -> None:
    definitions = json_schema()["$defs"]
    assert "at least 15 s" in definitions["CallbackSection"]["properties"]["ring"]["description"]
    described = sum(
        "description" in field for one in definitions.values() for field in one.get("properties", {}).values()
    )
    assert described >= 40
