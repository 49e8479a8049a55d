"""What became of everybody: the books, the SMSC and Asterisk's ledger, held against each other."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ari_app.pbx_setup import pbx_folders
from tests.bench.chaos_stage import ChaosStage
from tests.support.stage import Stage
from tests.support.waiting import until

TEXT_BACK = "sorry we missed"
REASONED = ("failed", "refused", "cancelled")

Query = Callable[[str, Sequence[object]], list[tuple[Any, ...]]]
"""Rows of the books."""

_CARED_FOR = (
    "SELECT 1 FROM outbox WHERE lead_id = ? AND CAST(id AS INTEGER) >= ? AND kind = 'alert' AND status = 'done'",
    "SELECT 1 FROM decisions WHERE lead_id = ? AND seq >= ? AND outcome IN ('refused', 'skipped') AND action IN ('text', 'plan')",
    "SELECT 1 FROM events WHERE lead_id = ? AND seq >= ? AND type IN ('CallAnswered', 'LeadClosed')",
)
"""Since an event of a lead: a person was told, there is a reason for no text, or the caller has reached a person."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """calls: inbound calls that Asterisk knows of. verdicts: how many of each. late: judged from the ledger.

    texts: text-backs that reached a person. doubts: texts that were in doubt at some time; resolved: of those, the ones of
    which is known now what became of them; unsent: of the others, the ones that the SMSC never had; told: leads of whose doubt
    a person was told. reasoned: text-backs that did not go out for a reason in the books. replies: texts of people. lost,
    doubled: sentences, one for each person. audit_clean: ``ringback audit`` found nothing.
    """

    calls: int
    verdicts: dict[str, int]
    late: int
    texts: int
    doubts: int
    resolved: int
    unsent: int
    told: int
    reasoned: int
    replies: int
    audit_clean: bool
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)


async def outcome(chaos: ChaosStage) -> Outcome:
    """When all is over. Asks ``ringback audit``, which is the oracle for calls."""
    stage, smsc, replies = chaos.stage, chaos.smsc, chaos.replies
    _, said = await stage.ringback("audit", "--since", "1d", "--json")
    report = json.loads(said)
    lost = [f"call {one['call_id']}: {one['why']}" for one in report["findings"]]
    lost += ["the ledger does not hold all that it should prove"] * bool(
        report["begins_at"] is None or report["unproved"]
    )
    lost += [f"a call that Asterisk holds for not over: {report['under_way']} of them"] * bool(report["under_way"])
    got = Counter(taken.text.destination for taken in smsc.taken if TEXT_BACK in taken.text.body)
    doubled = [f"{number} got {count} texts for one miss" for number, count in got.items() if count > 1]
    lost += unanswered(stage.query, got)
    heard = Counter(event.body["sender"] for event in stage.events("TextReceived"))
    lost += [f"the text of {number} was lost: {text}" for number, text in replies.said.items() if not heard[number]]
    doubled += [f"the text of {number} counted {count} times" for number, count in heard.items() if count > 1]
    refused = "SELECT number FROM consent WHERE channel = 'text' AND state = 'opted_out'"
    stopped = {number for (number,) in stage.query(refused)}
    lost += [f"the STOP of {one}" for one, text in replies.said.items() if text == "STOP" and one not in stopped]
    doubts = _one(
        stage,
        "SELECT count(DISTINCT outbox_id) FROM outbox_log JOIN outbox ON outbox.id = outbox_id"
        " WHERE outbox_log.status = 'in_doubt' AND kind = 'text'",
    )
    open_doubts = [
        number for (number,) in stage.query("SELECT number FROM outbox WHERE status = 'in_doubt' AND kind = 'text'")
    ]
    told = _one(stage, "SELECT count(DISTINCT lead_id) FROM outbox WHERE kind = 'alert' AND body LIKE '%in_doubt%'")
    verdicts = Counter(event.body["verdict"] for event in stage.events() if "verdict" in event.body)
    reasoned = f"SELECT count(*) FROM outbox WHERE purpose = 'text_back' AND status IN {REASONED}"
    return Outcome(
        calls=report["calls"],
        verdicts=dict(verdicts.most_common()),
        late=report["late"],
        texts=sum(got.values()),
        doubts=doubts,
        resolved=doubts - len(open_doubts),
        unsent=sum(not got[number] for number in open_doubts),
        told=told,
        reasoned=_one(stage, reasoned),
        replies=sum(heard.values()),
        audit_clean=not report["findings"] and not report["under_way"],
        lost=lost,
        doubled=doubled,
    )


def _logged_of(chaos: ChaosStage, channels: list[str]) -> str:
    """The folder, and the log in it, will be gone."""
    calls = {channel.rpartition("!")[2].partition("-leg")[0] for channel in channels}
    lines = chaos.stage.log_path.read_text(encoding="utf-8", errors="replace").splitlines()
    words = (*calls, "orphan", "stray", "stasis_", '"ready"', "asterisk_")
    return "\n".join([line for line in lines if any(word in line for word in words)][-60:])


async def over(chaos: ChaosStage, within: float = 60.0) -> None:
    """Calls have ended, each is in the journal, and everything that was ordered has come to its end.

    Raises AssertionError with what has not.
    """
    try:
        await until(lambda: not chaos.channels(), within=within)
    except AssertionError:
        left = chaos.channels()
        raise AssertionError(
            f"calls are not over: {left}; what was logged of them:\n{_logged_of(chaos, left)}"
        ) from None
    stage = chaos.stage
    cel = pbx_folders(stage.settings).cel
    ended = cel.read_text(errors="replace").count('"LINKEDID_END"')
    verdicts = "SELECT count(*) FROM events WHERE type IN ('CallMissed', 'CallClosed')"

    def unfinished() -> str:
        told = _one(stage, verdicts)
        waiting = stage.query(
            "SELECT id, kind, status, last_error FROM outbox WHERE status IN ('todo', 'doing') LIMIT 3"
        )
        if told >= ended and not waiting and not chaos.smsc.owes:
            return ""
        return f"{told} of {ended} calls, {chaos.smsc.owes} of the SMSC's messages, orders {waiting}"

    await until(lambda: not unfinished(), within=within, what=f"all to come to its end: {unfinished()}")


def unanswered(query: Query, got: Counter[str]) -> list[str]:
    """Missed callers who got no text, and for whom the books have neither a reason nor a person who was told.

    got: how many text-backs each number has got.
    """
    lost = []
    orders = query("SELECT number, status, lead_id, CAST(id AS INTEGER) FROM outbox WHERE purpose = 'text_back'", ())
    for number, status, lead_id, seq in orders:
        if status in ("todo", "doing"):
            lost.append(f"the text to {number} is still {status}")
        elif got[number]:
            continue
        elif status == "done":
            lost.append(f"the text to {number} is done in the books, and the SMSC never had it")
        elif not _is_cared_for(query, lead_id, seq):
            lost.append(f"the text to {number} is {status}, the SMSC never had it, and no person was told")
    ordered = {number for number, *_ in orders}
    misses = "SELECT json_extract(body, '$.caller'), lead_id, seq FROM events WHERE type = 'CallMissed'"
    for caller, lead_id, seq in query(misses, ()):
        if caller not in ordered and not _is_cared_for(query, lead_id, seq):
            lost.append(f"{caller} was missed, and nothing followed")
    return lost


def _is_cared_for(query: Query, lead_id: int | None, seq: int) -> bool:
    return any(query(sql, (lead_id, seq)) for sql in _CARED_FOR)


def _one(stage: Stage, query: str) -> int:
    found = stage.query(query)[0][0]
    assert isinstance(found, int)
    return found
