"""What every section of the settings shares: strictness, durations, and references to secrets."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer, WithJsonSchema, model_validator

from ari_app.settings import environment_file

_DURATION = re.compile(r"^\s*(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)\s*$")
_UNIT_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
LONGEST_SECONDS = 3650 * 86400.0
"""Ten years: what is longer is a slip, and a moment so far off may be none that a calendar has."""


class Section(BaseModel):
    """A part of the settings: unknown keys are errors, values cannot change after loading."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        validate_default=True,
        hide_input_in_errors=True,
        use_attribute_docstrings=True,
        allow_inf_nan=False,
    )


def parse_duration(value: Any) -> Any:
    """Seconds from ``10m``, ``1.5h``, ``200ms`` or a bare number of seconds.

    Raises ValueError when a string is none of these, and for more than ten years; other types go on to the type check.
    """
    seconds = value
    if isinstance(value, str):
        found = _DURATION.match(value)
        if found is None:
            raise ValueError(f"found {value!r}, expected a duration such as 18s, 10m, 1.5h or 200ms")
        seconds = float(found[1]) * _UNIT_SECONDS[found[2]]
    if isinstance(value, bool):
        raise ValueError(f"found {str(value).lower()}, expected a duration such as 18s, 10m, 1.5h or 200ms")
    if isinstance(seconds, int | float) and not seconds <= LONGEST_SECONDS:  # nan, too, is not less than anything
        raise ValueError(f"found {value!r}, expected at most {write_duration(LONGEST_SECONDS)}")
    return seconds


def write_duration(seconds: float) -> str:
    """The shortest exact spelling of a duration: 600.0 -> ``10m``."""
    for unit in ("d", "h", "m", "s"):
        count = seconds / _UNIT_SECONDS[unit]
        if count >= 1 and count == int(count):
            return f"{int(count)}{unit}"
    return f"{seconds:g}s"


Duration = Annotated[
    float,
    BeforeValidator(parse_duration),
    PlainSerializer(write_duration, when_used="json"),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "minimum": 0, "maximum": LONGEST_SECONDS},
                {"type": "string", "pattern": r"^\s*\d+(\.\d+)?\s*(ms|s|m|h|d)\s*$"},
            ]
        }
    ),
]
"""Seconds; written ``18s``, ``10m``, ``1.5h``."""


class SecretUnavailableError(LookupError):
    """A secret is named in the settings and is not where they say. ``where`` names the variable or the file."""

    def __init__(self, where: str, why: str) -> None:
        super().__init__(f"{where}: {why}")
        self.where = where


class Secret(Section):
    """Where a secret is: the name of an environment variable, or a file that holds nothing else. Never its value.

    A variable that is not set is looked for in ``secrets.env`` beside the settings, where we may read that.
    """

    env: str | None = None
    file: Path | None = None

    @model_validator(mode="before")
    @classmethod
    def _refuse_plain_text(cls, value: Any) -> Any:
        if isinstance(value, str | int | float):
            raise ValueError("a secret is never written here: expected {env: NAME} or {file: PATH}")
        return value

    @model_validator(mode="after")
    def _exactly_one(self) -> Secret:
        if (self.env is None) == (self.file is None):
            raise ValueError("expected exactly one of env and file")
        return self

    def read(self, folder: Path) -> str:
        """The secret's value; ``folder`` is where the settings are, and a relative ``file`` counts from it.

        Raises SecretUnavailableError when it is missing or empty.
        """
        if self.env is not None:
            return os.environ.get(self.env) or _beside(folder / environment_file.NAME, self.env)
        assert self.file is not None
        path = folder / self.file
        where = f"secret file {path}"
        try:
            value = path.read_text(encoding="utf-8").rstrip("\r\n")
        except OSError as error:
            raise SecretUnavailableError(where, error.strerror or str(error)) from error
        if not value:
            raise SecretUnavailableError(where, "is empty or not set")
        return value


def _beside(path: Path, name: str) -> str:
    """The variable ``name`` of the file that systemd reads for the service: a shell's environment does not hold it.

    Raises SecretUnavailableError.
    """
    where, missing = f"environment variable {name}", "is empty or not set"
    try:
        value = environment_file.read(path).get(name)
    except (FileNotFoundError, NotADirectoryError):
        raise SecretUnavailableError(where, missing) from None
    except PermissionError:  # as for the service itself, whom systemd has given all that stands there
        raise SecretUnavailableError(where, f"{missing}, and {path} is closed to this account: ask as root") from None
    except OSError as error:
        why = f"{missing}, and {path} cannot be read: {error.strerror or error}"
        raise SecretUnavailableError(where, why) from error
    except environment_file.EnvironmentFileError as error:
        raise SecretUnavailableError(f"{path}:{error.line}", error.why) from None
    if not value:
        raise SecretUnavailableError(where, f"{missing}, nor is it in {path}")
    return value
