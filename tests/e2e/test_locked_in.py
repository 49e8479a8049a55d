"""Ringback and its Asterisk under the system-call filters of their systemd units, as an account without rights: they start,
serve a caller from the first ring to the end of the callback, reload, copy the books, and drain."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ari_app.data_folder import database_path
from ari_app.pbx.host import cache_folder
from ari_app.store.db import prepare
from tests.support.locked_in import NOBODY, locked_in, missing
from tests.support.stage import Stage
from tests.support.waiting import until

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(180),
    pytest.mark.skipif(missing() is not None, reason=f"it takes {missing()}"),
]

CALLER, LISTING = "+13055550223", "13055550107"


def under_its_unit(*command: str) -> list[str]:
    """A command of Ringback, as its unit starts it."""
    return locked_in("ringback-pbx.service" if "pbx" in command else "ringback.service", *command)


def unstarted(folder: Path) -> Stage:
    """All that it begins with belongs to the account that it runs as."""
    # Where an Asterisk was fetched to; the units say so for themselves.
    environment = {} if os.geteuid() == 0 else {"XDG_CACHE_HOME": str(cache_folder().parent.parent)}
    stage = Stage(folder, launch=under_its_unit, environment=environment)
    prepare(database_path(stage.settings))
    (folder / "data" / "backups").mkdir()
    (folder / "data" / "backups" / "ringback-20200101T000000.000Z.db").touch()
    if os.geteuid() == 0:
        for path in (folder, *folder.rglob("*")):
            os.chown(path, NOBODY, NOBODY)
    return stage


@contextlib.asynccontextmanager
async def locked_in_stage() -> AsyncIterator[Stage]:
    """A stage of which Asterisk and Ringback run under their units' filters. Its newest backup is old: one is due."""
    folder = Path(tempfile.mkdtemp(prefix="ringback-stage-"))
    stage = unstarted(folder)
    await stage.smsc.start()
    stage.start_mail()
    try:
        status, said = await stage.ringback("pbx", "up")
        assert status == 0, said
        await stage.start_ringback()
        yield stage
    finally:
        await stage.ringback("pbx", "down")
        await stage.stop()
        shutil.rmtree(folder)


def copies(stage: Stage) -> list[Path]:
    return sorted(stage.settings.data_folder.glob("backups/ringback-*.db"))


async def test_under_their_units_filters_all_of_it_works() -> None:
    async with locked_in_stage() as stage:
        await until(lambda: len(copies(stage)) == 2, within=20.0, what="the copy that was due")
        assert copies(stage)[-1].stat().st_size > 0

        async with stage.mobile(CALLER, called_back=True) as mobile:
            mobile.call(stage.dial(LISTING))
            await mobile.heard("ended", within=40.0)
            await until(lambda: stage.smsc.to(CALLER), within=15.0, what="the text")
            await mobile.heard("incoming", within=30.0)
            mobile.answer()
            await mobile.heard("media")
            mobile.press("2")
            await mobile.heard("ended", within=40.0)
        ended = await stage.event("CallbackEnded", within=20.0)
        assert (ended.body["end"], ended.body["intent"]) == ("completed", "selling")

        text = stage.path.read_text(encoding="utf-8")
        stage.path.write_text(text.replace('"103": {name: C}', '"103": {name: C}, "104": {name: D}'), encoding="utf-8")
        status, said = await stage.ringback("reload")
        assert status == 0, said
        assert "pjsip.conf" in said, "the managed Asterisk was found, its files written, and it has read them"
        async with stage.desk_phone("104"):
            pass  # it has registered

        assert await stage.stop_ringback() == 0
        status, said = await stage.ringback("pbx", "down")
        assert status == 0, said
