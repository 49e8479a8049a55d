"""Section ``pbx.watch``: how calls that somebody else's dialplan handles are told apart and judged."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated

from pydantic import Field, StringConstraints

from ari_app.recovery.policy import Forwarded
from ari_app.settings.model import Duration, Section

ContextPattern = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_*?.-]{1,80}$")]
"""A dialplan context; ``*`` and ``?`` stand for anything and for one character."""

EndpointName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.@+-]{1,80}$")]

_EXTENSION = re.compile(r"[0-9]{1,6}")


class WatchSection(Section):
    """What to look for on the PBX."""

    contexts: tuple[ContextPattern, ...] = Field(
        default=(
            *("from-trunk*", "from-pstn*", "from-did-direct*", "from-dahdi*", "from-analog", "from-digital"),
            *("from-external*", "inbound*"),
        ),
        min_length=1,
    )
    """Contexts that carriers' calls enter: those of the trunks in pjsip.conf."""
    cel: Path | None = None
    """Where the PBX writes its channel events (``asterisk/attach/cel_custom.conf``): with it, calls that nobody saw are found
    there afterwards."""
    trunks: tuple[EndpointName, ...] = ()
    """Endpoints that are trunks although their names are short numbers. Others are told apart by themselves."""
    desk_phones: tuple[EndpointName, ...] = ()
    """Endpoints that are desk phones although their names are no short numbers."""
    queue_rings: bool = False
    """true: a caller in a queue is missed after ``rings``; false: when the queue gives up, or the caller does."""
    forwarded: Forwarded = Forwarded.TALK
    """An answer on a mobile: ``trust`` it, trust it after some ``talk``, or ``distrust`` it unless a key was asked for."""
    forwarded_talk: Duration = Field(default=90.0, ge=1, le=600)
    """Longer than a mobile's greeting and most of the messages that are left after it."""

    def is_inbound(self, context: str) -> bool:
        """Whether carriers' calls enter here."""
        return any(fnmatchcase(context, pattern) for pattern in self.contexts)

    def is_desk_phone(self, endpoint: str) -> bool:
        """Whether an endpoint is a phone in the house: an extension of up to six digits, unless it is said to be none."""
        if endpoint in self.trunks:
            return False
        return endpoint in self.desk_phones or _EXTENSION.fullmatch(endpoint) is not None
