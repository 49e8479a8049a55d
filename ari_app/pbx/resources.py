"""Where the files are that are no Python: the checkout's ``asterisk/``, or ``share/ringback`` of an installed wheel."""

from __future__ import annotations

import sys
from pathlib import Path

import ari_app


def resources(name: str) -> Path:
    """The folder ``name`` (``asterisk``). Raises FileNotFoundError that says where it should be."""
    checkout = Path(ari_app.__file__).parent.parent
    installed = Path(sys.prefix) / "share" / "ringback"
    folder = (checkout if (checkout / "pyproject.toml").is_file() else installed) / name
    if not folder.is_dir():
        raise FileNotFoundError(f"the folder {folder} is missing: install Ringback again")
    return folder
