"""scripts/test tries again what may have failed because the machine was busy, and nothing else."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SCRIPT = (ROOT / "scripts" / "test").read_text(encoding="utf-8")
FAILS_ONCE = """
import pathlib, pytest
pytestmark = [{mark}]
def test_it():
    seen = pathlib.Path("seen")
    if not seen.exists():
        seen.touch()
        raise AssertionError("this time")
"""


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        (FAILS_ONCE.format(mark=""), 0, "they passed alone"),
        (FAILS_ONCE.format(mark="pytest.mark.final"), 1, "that is not tried again"),
        ("def test_it():\n    assert not 'ever'\n", 1, "once more, one at a time"),
        ("def test_it():\n    pass\n", 0, ""),
    ],
)
def test_what_failed_is_tried_once_more_unless_somebody_was_lost(
    body: str, status: int, said: str, tmp_path: Path
) -> None:
    (tmp_path / "test_it.py").write_text(body)
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --strict-markers\nmarkers =\n    final: is final\n")
    run = re.search(r"^run\(\) \{\n.*?^\}\n", SCRIPT, re.DOTALL | re.MULTILINE)
    assert run is not None
    script = f'set -euo pipefail\nsay() {{ echo "$*" >&2; }}\nagain=()\n{run[0]}run test_it.py\n'
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == status, done.stdout + done.stderr
    assert said in done.stderr


def test_the_folders_of_the_second_and_third_part_are_those_that_the_marks_name() -> None:
    """tests/conftest.py holds that a test with such a mark is in a file that names it."""
    [pattern] = re.findall(r"grep -rlE --include='test_\*\.py' '([^']+)' tests", SCRIPT)
    assert pattern == r"mark\.(e2e|interop)"
