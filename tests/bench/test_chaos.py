"""The schedule and the arithmetic of the worst day. What it measures is never asserted here."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

from tests.bench import chaos
from tests.bench.chaos_load import Replies
from tests.support.stage import WireText


def test_the_same_seed_makes_the_same_day() -> None:
    plans = [chaos._plan(5.0, random.Random(seed), disk=True)[0] for seed in (1, 1, 2)]
    assert plans[0] == plans[1] != plans[2]
    assert Counter(plans[0]) == chaos.PLAN


def test_a_short_day_has_every_fault_once_and_says_what_it_leaves_out() -> None:
    plan, left_out = chaos._plan(1.0, random.Random(1), disk=False)
    assert set(plan) == chaos.PLAN.keys() - {"disk full"}
    assert left_out == ["disk full"]


def test_the_log_tells_when_what_was_said(tmp_path: Path) -> None:
    log = tmp_path / "ringback.log"
    log.write_text(
        '{"why": "cut", "event": "asterisk_lost", "level": "warning", "timestamp": "2026-11-24T04:12:51.500000Z"}\n'
        "a line of something else\n"
        '{"channels": 2, "event": "asterisk_connected", "level": "info", "timestamp": "2026-11-24T04:12:52.750000Z"}\n'
    )
    said = chaos.sayings(log)
    assert said["asterisk_connected"][0] - said["asterisk_lost"][0] == 1.25
    assert chaos._after(said["asterisk_lost"][0], said["asterisk_connected"]) == 1.25
    assert chaos._after(said["asterisk_connected"][0], said["asterisk_lost"]) is None


def test_people_answer_their_first_text_back_once_and_each_in_words_of_their_own() -> None:
    replies = Replies(seed=1)
    texts = [WireText("a", "+13055550106", f"+1305555{n:04}", "sorry we missed your call", 0.0) for n in range(400)]
    answers = [answer for answer in map(replies.to, texts) if answer is not None]
    assert {"STOP"} < set(answers)
    others = [answer for answer in answers if answer != "STOP"]
    assert len(others) == len(set(others))
    assert all(replies.to(text) is None for text in texts if text.destination in replies.said)
    assert replies.to(WireText("b", "+13055550106", "+13055559999", "You are opted out.", 0.0)) is None
