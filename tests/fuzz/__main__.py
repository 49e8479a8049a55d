"""``python -m tests.fuzz ORACLE --corpus FOLDER --seconds N``: coverage-guided search with atheris, which ``just fuzz``
installs beside the project. What it finds belongs into ``test_fuzz.py``, by its octets."""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path
from typing import Any


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("oracle")
    parser.add_argument("--corpus", type=Path, required=True, help="where what was found interesting is kept")
    parser.add_argument("--seconds", type=int, default=60)
    given = parser.parse_args()
    atheris: Any = importlib.import_module("atheris")
    # Whatever is imported in here is instrumented, so that the search sees which branches it took.
    with atheris.instrument_imports(include=["ari_app", "sms_gateway"]):
        oracles = importlib.import_module("tests.fuzz.oracles")
    samples = importlib.import_module("tests.fuzz.samples").SAMPLES[given.oracle]
    folder: Path = given.corpus / given.oracle
    folder.mkdir(parents=True, exist_ok=True)
    for index, sample in enumerate(samples):
        (folder / f"sample-{index}").write_bytes(sample)
    options = [
        f"-max_total_time={given.seconds}",
        "-max_len=8192",
        "-timeout=20",
        f"-artifact_prefix={given.corpus}/found-{given.oracle}-",
    ]
    atheris.Setup([sys.argv[0], *options, str(folder)], oracles.ORACLES[given.oracle])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
