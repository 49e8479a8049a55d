"""``scripts/setup`` on a machine of ours: what a log file of it shows."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The script, a virtual environment that is made already, and a machine without a single package."""
    programs = {
        "scripts/setup": (ROOT / "scripts" / "setup").read_text(encoding="utf-8"),
        "bin/dpkg-query": "#!/bin/sh\nexit 1\n",
        "bin/sudo": '#!/bin/sh\nexec "$@"\n',
        # It installs until the script has told of it.
        "bin/apt-get": f"""#!/bin/sh
[ "$1" = install ] || exit 0
for number in 1 2 3 4 5 6 7 8 9 10 11 12; do echo "Get:$number http://mirror.example/debian package-$number"; done
until grep -q package- {tmp_path}/told; do sleep 0.1; done
echo "Setting up package-12"
""",
    }
    for name, text in programs.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        path.chmod(0o755)
    for name in ("requirements-dev.lock", "pyproject.toml"):
        (tmp_path / name).write_text("")
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / f"installed-{hashlib.sha256(b'').hexdigest()[:16]}").touch()
    return tmp_path


def test_off_a_terminal_it_tells_of_the_system_packages_while_they_are_installed(checkout: Path) -> None:
    environment = {"PATH": f"{checkout / 'bin'}:{os.environ['PATH']}", "PYTHON": sys.executable}
    with (checkout / "told").open("wb") as told:
        subprocess.run([checkout / "scripts" / "setup"], env=environment, stderr=told, check=True, timeout=30)
    lines = (checkout / "told").read_text(encoding="utf-8").splitlines()
    assert "system packages: " in lines[0]
    (line,) = lines[1:]
    assert "Get:1" in line
    assert "http://mirror.example/debian package-1" in line
