"""Where the files are that are no Python: the checkout's ``asterisk/``, or ``share/ringback`` of an installed wheel."""

from __future__ import annotations

import sys
from pathlib import Path

import ari_app


def resources(name: str) -> Path:
    """The folder ``name`` (``asterisk``). Raises FileNotFoundError that says where it was looked for."""
    candidates = (Path(ari_app.__file__).parent.parent / name, Path(sys.prefix) / "share" / "ringback" / name)
    for folder in candidates:
        if folder.is_dir():
            return folder
    raise FileNotFoundError(f"no folder {name}: looked for {' and '.join(map(str, candidates))}")
