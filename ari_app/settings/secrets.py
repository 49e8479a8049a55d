"""Secrets that the settings refer to, and those that Ringback makes up itself (ARI, AMI and phone passwords)."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from ari_app.ownership import give
from ari_app.settings.model import Secret, SecretUnavailableError


class SecretStore:
    """Reads secrets by reference, and keeps the generated ones in ``folder``, one file each, readable by us alone."""

    def __init__(self, folder: Path, base: Path) -> None:
        """``folder`` holds the generated secrets; relative ``file`` references count from ``base``."""
        self._folder = folder
        self._base = base

    def resolve(self, name: str, reference: Secret | None) -> str:
        """The value behind ``reference``; without one, the secret generated under ``name``, made on first use. One that root
        makes belongs to whoever the folder above belongs to.

        Raises SecretUnavailableError when the reference leads nowhere or the folder cannot be written.
        """
        if reference is not None:
            return reference.read(self._base)
        path = self._folder / name
        try:
            return self._read_generated(path)
        except FileNotFoundError:
            pass
        except OSError as error:
            raise SecretUnavailableError(f"generated secret {path}", error.strerror or str(error)) from error
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            give(self._folder, self._folder.parent)
            draft = path.with_name(f".{path.name}.{os.getpid()}")
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                file.write(secrets.token_urlsafe(24) + "\n")
            give(draft, self._folder)
            try:
                os.link(draft, path)  # fails when another process was first; then theirs counts
            except FileExistsError:
                pass
            finally:
                draft.unlink()
            return self._read_generated(path)
        except OSError as error:
            raise SecretUnavailableError(f"generated secret {path}", error.strerror or str(error)) from error

    @staticmethod
    def _read_generated(path: Path) -> str:
        value = path.read_text(encoding="ascii").strip()
        if not value:
            raise SecretUnavailableError(f"generated secret {path}", "is empty: remove the file, and a new one is made")
        return value
