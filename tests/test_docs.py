"""What the documents tell people to type and to write: every ``ringback`` command is one, every piece of YAML is settings."""

from __future__ import annotations

import re
import shlex
import textwrap
from pathlib import Path
from typing import Any

import click
import jsonschema  # type: ignore[import-untyped]
import pytest
from ruamel.yaml import YAML

from ari_app.cli.main import main
from ari_app.settings.schema import json_schema
from tests.support.office import OFFICE

ROOT = Path(__file__).parent.parent
PAGES = [
    ROOT / "README.md",
    ROOT / "asterisk" / "attach" / "README.md",
    *(page for page in sorted((ROOT / "docs").rglob("*.md")) if "adr" not in page.parts),
]
_SPAN = re.compile(r"`(?:\w+/)*(ringback [^`]+)`")
_BLOCK = re.compile(r"^ *```\w*\n(.*?)^ *```", re.DOTALL | re.MULTILINE)
_LINE = re.compile(r"^\s*(?:[$#] )?(?:sudo (?:-u \w+ )?)?(?:/\S+/)?(ringback [a-z-].*)$", re.MULTILINE)
_YAML = re.compile(r"^ *```yaml\n(.*?)^ *```", re.DOTALL | re.MULTILINE)


def commands(page: Path) -> list[str]:
    """All that stand in a page, in the text and in blocks."""
    text = page.read_text(encoding="utf-8")
    blocks = [line for block in _BLOCK.findall(text) for line in _LINE.findall(block)]
    lines = [*_SPAN.findall(_BLOCK.sub("", text)), *blocks]
    return [line for told in lines for line in re.split(r" && |, | >|  #", told) if line.startswith("ringback ")]


def parse(line: str) -> None:
    """As the shell and then click would. Raises click.UsageError. A bare name, or an option without its value, is a mention."""
    words = [_given(word) for word in shlex.split(line, comments=True)[1:]]
    command: click.Command = main
    context = click.Context(command, info_name="ringback", **command.context_settings)
    while isinstance(command, click.Group):
        _, words, _ = command.make_parser(context).parse_args(words)
        if not words:
            return
        name, found, words = command.resolve_command(context, words)
        assert found is not None
        command, context = found, click.Context(found, info_name=name, parent=context)
    try:
        command.make_context(context.info_name, [*words], parent=context.parent)
    except click.MissingParameter:
        return
    except click.BadOptionUsage as error:
        if "requires an argument" not in error.message or words[-1] != error.option_name:
            raise


def _given(word: str) -> str:
    """What a reader puts in the place of ID and ``/path/to``."""
    if word.startswith("/path/to/"):
        return __file__
    return "1" if word.isalpha() and word.isupper() else word


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_can_be_typed_as_it_stands(page: Path) -> None:
    for line in commands(page):
        try:
            parse(line)
        except click.UsageError as error:
            pytest.fail(f"{line}: {error.format_message()}")


PYTHON = "/opt/ringback/.venv/bin/python"
"""The only Python on an installed server that knows our packages; there may be no other called ``python``."""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_block_that_runs_a_module_says_first_where_its_python_is(page: Path) -> None:
    activate = f". {Path(PYTHON).with_name('activate')}"
    for block in _BLOCK.findall(page.read_text(encoding="utf-8")):
        told = re.search(r"^python -m", block, re.MULTILINE)
        assert told is None or activate in block[: told.start()], block


def test_the_path_of_that_python_is_where_it_is_installed() -> None:
    assert f"`{PYTHON}`" in (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    install = (ROOT / "scripts" / "install").read_text(encoding="utf-8")
    assert f'-m venv "$root{Path(PYTHON).parents[1]}"' in install


def test_the_clocks_row_says_what_the_doctor_measures() -> None:
    """It asks the kernel (adjtimex) and knows no better clock to compare with."""
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    [row] = [line for line in page.splitlines() if line.startswith("| clock |")]
    assert "second" not in row
    assert "the kernel says" in row


def test_there_are_commands_in_the_pages_that_tell_people_what_to_do() -> None:
    for name in ("operations", "pbx", "backup", "attach"):
        assert len(commands(ROOT / "docs" / f"{name}.md")) >= 5, name


@pytest.mark.parametrize(
    "line", ["ringback leeds", "ringback leads --opened", "ringback lead ID --jason", "ringback pbx upp"]
)
def test_a_command_that_there_is_not_is_found(line: str) -> None:
    with pytest.raises(click.UsageError):
        parse(line)


def settings(page: Path) -> list[dict[str, Any]]:
    pieces = _YAML.findall(page.read_text(encoding="utf-8"))
    return [YAML(typ="safe", pure=True).load(textwrap.dedent(piece)) for piece in pieces]


def problems(piece: dict[str, Any]) -> list[str]:
    """Of a whole office with ``piece`` in it."""
    office = YAML(typ="safe", pure=True).load(OFFICE)
    schema = jsonschema.Draft202012Validator(json_schema())
    return [f"{list(error.path)}: {error.message}" for error in schema.iter_errors({**office, **piece})]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_piece_of_yaml_is_valid(page: Path) -> None:
    for piece in settings(page):
        assert problems(piece) == []


def test_pages_with_yaml_are_read_and_a_wrong_key_is_found() -> None:
    assert {page.name for page in PAGES if settings(page)} >= {"README.md", "attach.md", "backup.md", "crm.md"}
    assert problems({"backup": {"keeep": 3}})
