"""Durations as options: written as in the settings."""

from __future__ import annotations

import re
from typing import Any

import click

from ari_app.settings.model import parse_duration


class Duration(click.ParamType[float]):
    """Seconds, from ``90m``, ``24h``, ``7d`` or a bare number of seconds. Anything else is a wrong use."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, str) and re.fullmatch(r"\d+(\.\d+)?", value):
            value = float(value)
        try:
            return float(parse_duration(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)
