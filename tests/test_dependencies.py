"""docs/dependencies.md against pyproject.toml: everything declared has its reason, and nothing else does."""

from __future__ import annotations

import re
import tomllib
from itertools import chain
from pathlib import Path

ROOT = Path(__file__).parent.parent
NAME = re.compile(r"[A-Za-z0-9_.-]+")


def test_every_dependency_has_its_reason_and_every_reason_its_dependency() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    declared = [*project["project"]["dependencies"], *chain.from_iterable(project["dependency-groups"].values())]
    wanted = {match[0] for line in declared if (match := NAME.match(line))}
    page = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1:-1] for line in page.splitlines() if line.startswith("| ") and "---" not in line]
    given = {name.strip() for row in rows for name in row[0].split(",")} - {"Package"}
    assert given == wanted
    assert all(all(cell.strip() for cell in row) for row in rows)
