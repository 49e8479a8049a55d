"""The files of the pure parts, as the import contract names them, for coverage: one comma-separated line."""

from __future__ import annotations

import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


def pure_files() -> list[str]:
    """Paths from the root, of every module in the contract that forbids pure modules the outside world."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contract = next(
        contract
        for contract in settings["tool"]["importlinter"]["contracts"]
        if contract["name"].startswith("The pure parts")
    )
    files: list[str] = []
    for module in contract["source_modules"]:
        path = ROOT / module.replace(".", "/")
        files.extend(
            str(file.relative_to(ROOT))
            for file in ([path.with_suffix(".py")] if not path.is_dir() else sorted(path.rglob("*.py")))
        )
    return files


if __name__ == "__main__":
    print(",".join(pure_files()))  # noqa: T201
