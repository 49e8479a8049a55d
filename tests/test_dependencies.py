"""docs/dependencies.md against pyproject.toml: everything declared has its reason, and nothing else does."""

from __future__ import annotations

import re
import tomllib
from importlib import metadata
from itertools import chain
from pathlib import Path

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

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


def locked(file: str) -> dict[str, set[str]]:
    """The extras that a lock file gives to each package."""
    lines = (ROOT / file).read_text(encoding="utf-8").splitlines()
    pins = [Requirement(line.rstrip(" \\")) for line in lines if line[:1].isalnum()]
    assert all(str(pin.specifier).startswith("==") for pin in pins)
    return {canonicalize_name(pin.name): pin.extras for pin in pins}


@pytest.mark.parametrize("file", ["requirements.lock", "requirements-dev.lock"])
def test_what_a_locked_package_needs_is_locked_with_its_extras(file: str) -> None:
    """The pip of Debian 12 takes `coverage==1` for no answer to `coverage[toml]>=1`: it then goes for the newest, without a
    hash, and stops. That shows only from the day on when there is a newer one than the locked.
    """
    pins = locked(file)
    here = {key: str(value) for key, value in default_environment().items()}
    seen = 0
    for name in pins:
        try:
            needs = [Requirement(line) for line in metadata.requires(name) or ()]
        except metadata.PackageNotFoundError:  # for another system or another Python
            continue
        for need in needs:
            if need.marker and not any(need.marker.evaluate(here | {"extra": extra}) for extra in ("", *pins[name])):
                continue
            assert canonicalize_name(need.name) in pins, f"{name} needs {need}, which {file} does not lock"
            missing = need.extras - pins[canonicalize_name(need.name)]
            assert not missing, f"{name} needs {need}; {file} has it without {sorted(missing)}"
            seen += 1
    assert seen > len(pins) / 3, "few needs were seen: is this environment made from the lock?"
