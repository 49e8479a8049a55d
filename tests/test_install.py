"""What an administrator gets: ``scripts/install`` into a folder of its own, and the rotation of logs that it brings."""

from __future__ import annotations

import grp
import gzip
import os
import pwd
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DEPLOY = ROOT / "scripts" / "deploy"


# ---------------------------------------------------------------------------------------------------------- the installation
def install(root: Path) -> str:
    """Run the script below ``root``; what it says."""
    environment = {**os.environ, "ROOT": str(root), "PYTHON": sys.executable, "PIP_NO_COMPILE": "1"}  # for speed
    words = [str(ROOT / "scripts" / "install")]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stderr


@pytest.mark.interop
@pytest.mark.timeout(900)
def test_it_installs_a_ringback_that_works_and_an_upgrade_leaves_the_settings_alone(tmp_path: Path) -> None:
    assert "Next: edit /etc/ringback/ringback.yaml" in install(tmp_path)
    program, settings = tmp_path / "opt" / "ringback", tmp_path / "etc" / "ringback"
    secrets = settings / "secrets.env"
    assert secrets.stat().st_mode & 0o777 == 0o600
    assert "data: /var/lib/ringback\n" in (settings / "ringback.yaml").read_text(encoding="utf-8")
    for unit in ("ringback.service", "ringback-pbx.service"):
        assert (tmp_path / "etc" / "systemd" / "system" / unit).read_bytes() == (DEPLOY / unit).read_bytes()
    rotation = tmp_path / "etc" / "logrotate.d" / "ringback"
    assert rotation.read_bytes() == (DEPLOY / "ringback.logrotate").read_bytes()
    assert rotation.stat().st_mode & 0o777 == 0o644, "logrotate reads no file that others may write"

    def ringback(*words: str) -> subprocess.CompletedProcess[str]:
        command = [str(program / ".venv" / "bin" / "ringback"), *words]
        environment = {"PATH": "/usr/bin:/bin", "RINGBACK_CONFIG": str(settings / "ringback.yaml")}
        return subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert ringback("check").returncode == 0, ringback("check").stdout
    code = "import ari_app, pathlib; print(pathlib.Path(ari_app.__file__).is_relative_to(pathlib.Path.cwd()))"
    python = [str(program / ".venv" / "bin" / "python"), "-c", code]
    environment = {"PATH": "/usr/bin:/bin"}
    assert subprocess.run(python, env=environment, cwd=tmp_path, capture_output=True, check=True).stdout == b"True\n"

    mine = (settings / "ringback.yaml").read_text(encoding="utf-8") + "# mine\n"
    (settings / "ringback.yaml").write_text(mine, encoding="utf-8")
    secrets.write_text("SMPP_PASSWORD=mine\n", encoding="utf-8")
    schema = settings / "ringback.schema.json"
    assert schema.read_bytes() == (ROOT / "config" / "ringback.schema.json").read_bytes()
    schema.write_text("{}", encoding="utf-8")
    (program / "ari_app" / "left_over.py").touch()
    assert "settings in" not in install(tmp_path)
    assert (settings / "ringback.yaml").read_text(encoding="utf-8") == mine
    assert secrets.read_text(encoding="utf-8") == "SMPP_PASSWORD=mine\n"
    assert schema.read_bytes() == (ROOT / "config" / "ringback.schema.json").read_bytes(), (
        "an editor knows the new keys"
    )
    assert not (program / "ari_app" / "left_over.py").exists(), "what the new version does not have is gone"
    assert ringback("check").returncode == 0


# -------------------------------------------------------------------------------------------------------------- the rotation
@pytest.mark.skipif(shutil.which("logrotate") is None, reason="it takes logrotate")
def test_the_rotation_renames_what_is_opened_anew_and_cuts_short_what_is_held_open(tmp_path: Path) -> None:
    log, spool = tmp_path / "pbx" / "log", tmp_path / "pbx" / "spool"
    ledger = log / "cel-custom" / "cel.csv"
    for folder in (ledger.parent, log / "cdr-custom", spool):
        folder.mkdir(parents=True)
    (log / "full.log").write_text("steps\n")
    (log / "cdr-custom" / "cdr.csv").write_text("record\n")
    (spool / "messages.txt").write_text("text\n")
    asked = tmp_path / "asked"
    ringback = tmp_path / "ringback"
    ringback.write_text(f'#!/bin/sh\necho "$XDG_CACHE_HOME $*" >> {asked}\nexit 1\n')
    ringback.chmod(0o755)

    account, group = pwd.getpwuid(os.geteuid()).pw_name, grp.getgrgid(os.getegid()).gr_name
    text = (DEPLOY / "ringback.logrotate").read_text(encoding="utf-8")
    text = text.replace("/var/lib/ringback", str(tmp_path)).replace("/usr/local/bin/ringback", str(ringback))
    rotation = tmp_path / "rotation"
    rotation.write_text(text.replace("su ringback ringback", f"su {account} {group}"))
    rotation.chmod(0o644)

    with (tmp_path / "pbx" / "console.log").open("ab", buffering=0) as console:
        for week in ("first", "second"):
            ledger.write_text(f"{week}\n")
            inode = ledger.stat().st_ino
            console.write(f"{week}\n".encode())
            words = ["logrotate", "--force", "--state", str(tmp_path / "state"), str(rotation)]
            done = subprocess.run(words, capture_output=True, text=True, check=False)
            assert (done.returncode, done.stderr) == (0, "")
            renamed = ledger.with_name("cel.csv.1")
            assert (renamed.stat().st_ino, renamed.read_text()) == (inode, f"{week}\n"), "it can be read to its end"
        console.write(b"third\n")
    assert (tmp_path / "pbx" / "console.log").read_text() == "third\n"
    assert gzip.decompress((tmp_path / "pbx" / "console.log.1.gz").read_bytes()) == b"second\n"
    assert gzip.decompress(ledger.with_name("cel.csv.2.gz").read_bytes()) == b"first\n"
    assert (log / "full.log.1").read_text() == "steps\n"
    assert (log / "cdr-custom" / "cdr.csv.1").read_text() == "record\n"
    assert (spool / "messages.txt").read_text() == "text\n"
    assert asked.read_text() == "/var/cache pbx cli logger reload\n" * 2, "an Asterisk that does not run is no failure"
