"""Large books are not read to their last page before the start, which callers would wait for, but beside the work."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import structlog

from ari_app.errors import StoreDamagedError, StoreError
from ari_app.runtime.beside import beside
from ari_app.store.db import read_at_start, require_sound

log = structlog.get_logger("store")


class Soundness:
    """``run`` reads what the start has left out, once. What comes later is found by the nightly copy, which is read whole."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.trouble: str | None = None
        """What is damaged, and what a person does about it; None as long as nothing is known to be."""

    async def run(self) -> None:
        """Returns when all has been read."""
        if read_at_start(self._path):
            return
        try:
            await beside(partial(require_sound, self._path), "ringback-reading")
        except StoreDamagedError as error:
            self.trouble = str(error)
            log.error("database_damaged", error=self.trouble)
        except StoreError as error:
            log.warning("database_not_read_through", error=str(error))
        else:
            log.info("database_sound")
