"""README.md against the project: its links lead somewhere, its commands exist, its example of a plan is valid."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from ari_app.cli.main import main
from ari_app.settings.loading import load
from tests.support.office import OFFICE

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_every_command_exists() -> None:
    assert isinstance(main, click.Group)
    known = main.list_commands(click.Context(main))
    for words in re.findall(r"(?:^\$ |&& |: |, )ringback ([a-z]+)", README, re.MULTILINE):
        assert words in known, words
    for script in re.findall(r"^scripts/(\w+)", README, re.MULTILINE):
        assert (ROOT / "scripts" / script).stat().st_mode & 0o111, script


def test_the_folders_of_the_tree_exist() -> None:
    tree = README.split("```\n")[-2]
    folders = re.findall(r"^ {0,2}(\w+/)(?: (\w+/))?", tree, re.MULTILINE)
    assert len(folders) > 12
    for first, second in folders:
        for name in filter(None, (first, second)):
            assert (ROOT / name).is_dir() or (ROOT / "ari_app" / name).is_dir(), name


def test_the_example_of_a_plan_is_valid(tmp_path: Path) -> None:
    example = re.search(r"```yaml\n(.*?)```", README, re.DOTALL)
    assert example is not None
    office = re.sub(r"^numbers:.*?(?=^blocked:)", "", OFFICE, flags=re.DOTALL | re.MULTILINE)
    office = re.sub(r"^plans:.*?(?=^templates:)", "", office, flags=re.DOTALL | re.MULTILINE)
    path = tmp_path / "ringback.yaml"
    path.write_text(office + example[1], encoding="utf-8")
    assert list(load(path).policy.plans) == ["standard"]
