"""Ringback is killed again and again, at moments that a seed draws, while calls come and texts go."""

from __future__ import annotations

import asyncio
import os
import random

import pytest

from tests.bench.chaos_load import calls, phones
from tests.bench.chaos_smsc import Mood
from tests.bench.chaos_stage import chaos_stage
from tests.bench.chaos_verdict import outcome, over

pytestmark = [pytest.mark.e2e, pytest.mark.final, pytest.mark.timeout(900)]

KILLS = int(os.environ.get("RINGBACK_KILLS", "25"))
SEED = int(os.environ.get("RINGBACK_SEED", "1"))
LONGEST_ROUND_SECONDS = 12.0


async def test_killed_again_and_again_under_load_it_loses_nobody_and_texts_nobody_twice() -> None:
    chance = random.Random(SEED)
    async with chaos_stage(SEED) as chaos, phones(chaos.stage):
        async with calls(chaos.stage, KILLS * LONGEST_ROUND_SECONDS):
            for _ in range(KILLS):
                chaos.smsc.mood = chance.choice((Mood.WELL, Mood.WELL, Mood.LATE, Mood.LOSING))
                if chance.random() < 0.75:
                    await chaos.ready()
                else:
                    await chaos.spawn()  # and it dies while it starts
                await asyncio.sleep(chance.uniform(0.0, 1.5))  # noqa: TID251 - the moment itself is what is drawn
                await chaos.kill()
            chaos.smsc.mood = Mood.WELL
            await chaos.ready()
        await over(chaos)
        found = await outcome(chaos)
    assert found.lost == []
    assert found.doubled == []
    assert found.calls > KILLS, "there was load"
    assert found.texts > KILLS
    assert found.late, "calls came while nobody was there"
