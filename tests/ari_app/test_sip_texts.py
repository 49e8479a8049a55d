"""Texts that came as SIP MESSAGE, out of the dialplan's spool."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlite_utils import Database
from structlog.testing import capture_logs

from ari_app.errors import StoreUnavailableError
from ari_app.notify.texts import TextInbox
from ari_app.recovery.events import TextReceived
from ari_app.recovery.values import Channel, ConsentState
from ari_app.runtime.recorded import Recorded
from ari_app.sip_texts import POLL_SECONDS, SipInbox
from ari_app.store import bookmarks, journal, people
from ari_app.store.stores import Job, T
from tests.support import virtual
from tests.support.books import CALLER, DIALLED, Books
from tests.support.waiting import until


def line(body: str, at: float = 1764000000.25, sender: str = CALLER) -> bytes:
    """As the dialplan writes it."""
    words = (f'"Caller" <sip:{sender}@carrier.example>', f"pjsip:sip:{DIALLED}@127.0.0.1", body)
    return f"{at} {' '.join(base64.b64encode(word.encode()).decode() for word in words)}\n".encode()


class Spool:
    """The spool file, its reader and the books."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "messages"
        self.books = Books(folder)
        self.heard: list[str] = []
        self.books.recorder.listen(self._hear)
        self.inbox = TextInbox(self.books.recorder, self.books.clock)
        self.reader = SipInbox(self.path, self.books.store, self.inbox)

    def _hear(self, recorded: Recorded) -> None:
        if isinstance(recorded.event, TextReceived):
            self.heard.append(recorded.event.body)

    def write(self, *lines: bytes) -> None:
        with self.path.open("ab") as file:
            file.write(b"".join(lines))

    async def texts(self) -> list[str]:
        entries = await self.books.store.read(lambda db: list(journal.entries(db)))
        return [entry.event.body for entry in entries if isinstance(entry.event, TextReceived)]

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(self.reader.run())
            try:
                yield
            finally:
                task.cancel()


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    spool = Spool(tmp_path)
    yield spool
    spool.books.close()


async def arrives(spool: Spool, *expected: str) -> None:
    await until(lambda: spool.heard == list(expected), within=10.0, what=f"{expected}; there are {spool.heard}")


async def test_what_came_while_nobody_listened_is_read_at_the_start(spool: Spool) -> None:
    spool.write(line("Yes, selling"), line("Stop"))
    async with spool.running():
        await arrives(spool, "Yes, selling", "Stop")

    def said(db: Database) -> ConsentState:
        return people.consent(db, CALLER, Channel.TEXT).state

    assert await spool.books.store.read(said) is ConsentState.OPTED_OUT


async def test_a_bell_has_the_spool_read_at_once(spool: Spool) -> None:
    async with spool.running():
        await until(lambda: spool.reader._wake._event._waiters)
        spool.write(line("one"))
        spool.reader.wake()
        await arrives(spool, "one")


async def test_every_text_is_stored_once_however_often_the_spool_is_read(spool: Spool, tmp_path: Path) -> None:
    spool.write(line("same"), line("same"))
    async with spool.running():
        await arrives(spool, "same", "same")
    await spool.books.store.write(lambda db: bookmarks.put(db, f"sip_messages:{spool.path}", "0"))
    again = SipInbox(spool.path, spool.books.store, spool.inbox)
    spool.reader = again
    spool.write(line("new"))
    async with spool.running():
        await arrives(spool, "same", "same", "new")


async def test_reading_goes_on_where_it_ended_and_waits_for_the_rest_of_a_line(spool: Spool) -> None:
    whole = line("long words")
    spool.write(line("first"), whole[:20])
    async with spool.running():
        await arrives(spool, "first")
        spool.write(whole[20:])
        spool.reader.wake()
        await arrives(spool, "first", "long words")


async def test_lines_that_cannot_be_read_are_told_and_passed(spool: Spool) -> None:
    spool.write(b"garbage\n", b"1 %%% %%% %%%\n", line("good"))
    with capture_logs() as logs:
        async with spool.running():
            await arrives(spool, "good")
    assert [entry["count"] for entry in logs if entry["event"] == "spool_lines_unreadable"] == [2]


def test_a_store_that_fails_makes_it_wait_and_loses_nothing(tmp_path: Path) -> None:
    class Failing:
        """Fails while it is told to."""

        def __init__(self, books: Books) -> None:
            self._store = books.store
            self.failing = True

        async def write(self, job: Job[T]) -> T:
            if self.failing:
                raise StoreUnavailableError("disk full")
            return await self._store.write(job)

        async def read(self, job: Job[T]) -> T:
            return await self._store.read(job)

    async def main() -> list[str]:
        spool = Spool(tmp_path)
        store = Failing(spool.books)
        books = Books(tmp_path, store=store)
        reader = SipInbox(spool.path, store, TextInbox(books.recorder, books.clock))
        spool.write(line("kept"))

        async with asyncio.TaskGroup() as group:
            task = group.create_task(reader.run())
            await asyncio.sleep(POLL_SECONDS * 3)  # noqa: TID251 - virtual
            assert await spool.texts() == []
            store.failing = False
            await asyncio.sleep(POLL_SECONDS + 1)  # noqa: TID251 - virtual
            task.cancel()
        return await spool.texts()

    # The spool is read on a thread; in virtual time the thread is the loop's own.
    with capture_logs() as logs, pytest.MonkeyPatch.context() as patch:

        async def inline(function, *arguments):  # type: ignore[no-untyped-def]
            return function(*arguments)

        patch.setattr("ari_app.sip_texts.asyncio.to_thread", inline)
        assert virtual.run(main) == ["kept"]
    assert len([entry for entry in logs if entry["event"] == "spool_not_read"]) >= 2
