"""SIP MESSAGEs as the dialplan writes them down (context ``messages``): there whether or not we listened at the time.

One line each: Unix time, then sender, recipient and text in base64. The line's offset is its identity.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ari_app.pbx.lines import Page, read_page


@dataclass(frozen=True, slots=True)
class SpooledMessage:
    """``offset`` tells two equal messages apart. ``sender`` and ``body`` are untrusted."""

    offset: int
    at: datetime
    sender: str
    recipient: str
    body: str


def read_messages(path: Path, offset: int = 0) -> Page[SpooledMessage]:
    """The messages from byte ``offset`` on. Raises OSError."""
    return read_page(path, offset, _parse)


def _parse(line: str, offset: int) -> SpooledMessage:
    words = line.split(" ")
    if len(words) != 4:
        raise ValueError(f"expected 4 words, got {len(words)}")
    try:
        at = datetime.fromtimestamp(float(words[0]), UTC)
        sender, recipient, body = (
            base64.b64decode(word, validate=True).decode("utf-8", "replace") for word in words[1:]
        )
    except binascii.Error as error:
        raise ValueError("no base64") from error
    except (OverflowError, OSError) as error:
        raise ValueError("no time of this era") from error
    return SpooledMessage(offset, at, sender, recipient, body)
