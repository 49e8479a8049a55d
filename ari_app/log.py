"""Logging: structlog for everything. Our own lines go straight to the stream, which costs half of a way through the standard
library's logging; the loggers of sms_gateway, voice_agent and the libraries come by that way, and look the same.
"""

from __future__ import annotations

import contextlib
import json
import logging
import sys
from typing import Any, TextIO

import structlog

_QUIET = ("aiohttp.access", "aiohttp.server", "asyncio", "panoramisk", "piper", "pocketsphinx")


def configure(level: str, *, as_json: bool, stream: TextIO | None = None) -> None:
    """Write to ``stream`` (standard error): one line an event, or one JSON object."""
    out = stream or sys.stderr
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    rendering: list[Any] = (
        [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(serializer=_as_json)]
        if as_json
        else [structlog.dev.ConsoleRenderer(colors=out.isatty(), pad_event_to=28, sort_keys=False)]
    )
    handler = logging.StreamHandler(out)
    remove = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=[remove, *rendering]))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    # What no line shows is not looked up for each: the caller's frame, thread and process (Python's logging, "Optimization").
    logging._srcfile = None
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    structlog.configure(
        processors=[*shared, *rendering],
        logger_factory=lambda *names: _Lines(handler, *names),
        wrapper_class=structlog.make_filtering_bound_logger(level),  # what nobody will read costs next to nothing
        cache_logger_on_first_use=True,
    )


class _Lines:
    """Where a logger's finished lines go: to the stream of ``handler``, in turns with it."""

    def __init__(self, handler: logging.StreamHandler[TextIO], name: str = "") -> None:
        self.name = name
        self._handler = handler

    def _write(self, line: str) -> None:
        """A disk that is full, or a reader that has gone, costs the line and nothing else."""
        self._handler.acquire()
        try:
            with contextlib.suppress(OSError, ValueError):
                self._handler.stream.write(f"{line}\n")
                self._handler.stream.flush()
        finally:
            self._handler.release()

    debug = info = warning = error = critical = msg = _write


_encode = json.JSONEncoder(default=repr).encode


def _as_json(event: Any, **_: Any) -> str:
    return _encode(event)
