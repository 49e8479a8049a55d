"""Texts that came as SIP MESSAGE: read from the dialplan's spool, which is there whether or not we listened at the time."""

from __future__ import annotations

import asyncio
from pathlib import Path

import structlog

from ari_app.errors import StoreUnavailableError
from ari_app.notify.texts import TextInbox
from ari_app.pbx.message_spool import read_messages
from ari_app.runtime.wake import Wake
from ari_app.store import bookmarks
from ari_app.store.stores import Store
from sms_gateway.sip import inbound_from_sip

log = structlog.get_logger("sip_texts")

GATEWAY = "sip"
POLL_SECONDS = 10.0


class SipInbox:
    """Reads the spool from where it was left; a text counts as read when it is in the journal."""

    def __init__(self, spool: Path, store: Store, inbox: TextInbox) -> None:
        self._spool = spool
        self._store = store
        self._inbox = inbox
        self._wake = Wake()
        self._mark = f"sip_messages:{spool}"

    def wake(self) -> None:
        """ARI says that there is something new."""
        self._wake.ring()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                more = await self._read()
            except (OSError, StoreUnavailableError) as error:
                log.warning("spool_not_read", error=str(error))
                more = False
            if not more:
                await self._wake.wait(POLL_SECONDS)

    async def _read(self) -> bool:
        mark = await self._store.read(lambda db: bookmarks.get(db, self._mark))
        page = await asyncio.to_thread(read_messages, self._spool, int(mark or 0))
        for message in page.rows:
            # The offset is part of the identity: the same words at two places of the spool are two texts.
            source_id = f"{message.offset}@{message.at.isoformat()}"
            text = inbound_from_sip(message.sender, message.recipient, message.body, source_id)
            await self._inbox.take(GATEWAY, text)
        if page.unreadable:
            log.warning("spool_lines_unreadable", count=page.unreadable)
        if str(page.offset) != mark:
            offset = str(page.offset)
            await self._store.write(lambda db: bookmarks.put(db, self._mark, offset))
        return page.more
