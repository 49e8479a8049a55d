"""The web edge: health and metrics on loopback, the control socket for the command line."""

from __future__ import annotations

import asyncio
import io
import socket
import stat
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest
from prometheus_client.parser import text_string_to_metric_families

from ari_app.dashboard.control import LONGEST_WORDS, Control
from ari_app.dashboard.health import Component, Health
from ari_app.dashboard.metrics import Metrics
from ari_app.dashboard.server import WebEdge
from ari_app.data_folder import socket_path
from ari_app.errors import StoreUnavailableError
from ari_app.recovery.events import CallbackAnswered, CallbackEnded, CallClosed
from ari_app.recovery.values import CallbackEnd, Channel, ConsentState, EffectId, Intent, NumberKind, Verdict
from ari_app.runtime.outcome import Done, InDoubt
from ari_app.settings.delivery import WebSection
from ari_app.settings.problem import Mark, Problem, SettingsError, Severity
from ari_app.store import people
from ari_app.store.db import Database
from ari_app.store.stores import Job, T
from tests.support.books import CALLER, DIALLED, NOON, Books, StandingClock, texted
from tests.support.ports import free_port


@dataclass
class Edge:
    """A running web edge with its books."""

    books: Books
    port: int
    socket: Path
    health: Health
    web: WebEdge
    reloads: list[Any] = field(default_factory=lambda: [{"before": "a", "now": "b", "after_restart": []}])

    async def reload(self) -> dict[str, Any]:
        answer = self.reloads.pop(0)
        if isinstance(answer, Exception):
            raise answer
        assert isinstance(answer, dict)
        return answer

    async def get(self, path: str) -> tuple[int, str]:
        async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{self.port}{path}") as answer:
            return answer.status, await answer.text()

    async def ask(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """Through the control socket; ``body`` is sent as it is when it is bytes."""
        data = body if isinstance(body, bytes | io.BytesIO) else orjson.dumps(body)
        connector = aiohttp.UnixConnector(path=str(self.socket))
        async with (
            aiohttp.ClientSession(connector=connector) as session,
            session.request(method, f"http://ringback{path}", data=data) as answer,
        ):
            content = await answer.read()
            return answer.status, orjson.loads(content) if "json" in answer.content_type else content

    async def metrics(self) -> dict[str, float]:
        """Samples by name and labels, as Prometheus reads them."""
        _, text = await self.get("/metrics")
        return {
            sample.name + "".join(f",{value}" for _, value in sorted(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }


@pytest.fixture
async def edge(tmp_path: Path) -> AsyncIterator[Edge]:
    books = Books(tmp_path)
    health = Health()
    health.add(lambda: [Component("database", books.recorder.healthy, "written")])
    depths: dict[tuple[str, str], int] = {("text", "todo"): 3}
    metrics = Metrics(health, lambda: depths)
    books.recorder.listen(metrics.observe)
    port = free_port()
    path = socket_path(books.settings.data_folder)
    built: list[Edge] = []
    control = Control(books.recorder, books.clock, health, lambda: built[0].reload())
    web = WebEdge(WebSection(port=port), health, metrics, control, path)
    built.append(Edge(books, port, path, health, web))
    await web.start()
    try:
        yield built[0]
    finally:
        await web.stop()
        books.close()


# ------------------------------------------------------------------------------------------------------------------ health
async def test_health_is_green_while_every_part_that_calls_need_is_well(edge: Edge) -> None:
    status, body = await edge.get("/health")
    assert status == 200
    assert orjson.loads(body) == {
        "status": "ok",
        "components": [{"name": "database", "ok": True, "needed": True, "detail": "written"}],
    }


async def test_health_turns_red_when_the_store_fails_and_green_when_it_writes_again(
    edge: Edge, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(job: Job[T]) -> T:
        raise StoreUnavailableError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(edge.books.store, "write", full)
        with pytest.raises(StoreUnavailableError):
            await edge.books.miss()
    status, body = await edge.get("/health")
    assert (status, orjson.loads(body)["status"]) == (503, "failing")
    assert (await edge.metrics())["ringback_component_up,database"] == 0
    await edge.books.miss()
    assert (await edge.get("/health"))[0] == 200
    assert (await edge.metrics())["ringback_component_up,database"] == 1


async def test_a_part_that_calls_do_not_need_makes_a_warning_not_an_alarm(edge: Edge) -> None:
    edge.health.add(lambda: [Component("gateway sms", False, "not bound", needed=False)])
    status, body = await edge.get("/health")
    assert status == 200
    assert orjson.loads(body)["components"][1]["ok"] is False


# ----------------------------------------------------------------------------------------------------------------- metrics
async def test_metrics_are_counted_from_what_is_recorded(edge: Edge) -> None:
    books = edge.books
    clock = books.clock
    assert isinstance(clock, StandingClock)
    await books.miss()
    clock.at = NOON.replace(second=4)
    await books.settle("text", Done("a1"))
    await books.record(texted("yes"))
    ended = {"intent": Intent.BUYING, "lines": (), "keys": "", "seconds": 9.0, "by": None, "why": None}
    effect_id = EffectId("1.0")
    await books.record(CallbackAnswered(at=NOON.replace(second=9), source_id="c1", effect_id=effect_id))
    await books.record(
        CallbackEnded(at=clock.at, source_id="c2", effect_id=effect_id, end=CallbackEnd.COMPLETED, **ended)  # type: ignore[arg-type]
    )
    closed = CallClosed(
        at=NOON,
        source_id="call:2",
        call_id="2",
        caller=CALLER,
        kind=NumberKind.ORDINARY,
        dialled=DIALLED,
        office="miami",
        entry="_1305555010X",
        verdict=Verdict.ANSWERED,
        rings=1,
        ring_seconds=6.0,
        talk_seconds=60.0,
        answered_by="ana",
    )
    await books.record(closed)
    await books.record(replace(closed, source_id="call:2:lead:1", elsewhere=True), 1)
    found = await edge.metrics()
    expected = {
        "ringback_calls_total,no_answer": 1,
        "ringback_calls_total,answered": 1,
        "ringback_orders_total,text,done": 1,
        "ringback_texts_received_total": 1,
        "ringback_callbacks_total,completed": 1,
        "ringback_outbox_orders,text,todo": 3,
        "ringback_missed_to_text_seconds_count": 1,
        "ringback_missed_to_text_seconds_sum": 4,
        "ringback_missed_to_text_seconds_bucket,2.5": 0,
        "ringback_missed_to_text_seconds_bucket,5.0": 1,
        "ringback_missed_to_callback_seconds_count": 1,
        "ringback_missed_to_callback_seconds_sum": 9,
    }
    assert {name: found.get(name) for name in expected} == expected
    assert any(name.startswith("ringback_decisions_total,text,") for name in found)


async def test_metrics_hold_no_number_no_name_and_no_words(edge: Edge) -> None:
    await edge.books.miss(caller_name="Caller One")
    await edge.books.record(texted("my secret words"))
    _, text = await edge.get("/metrics")
    _, health = await edge.get("/health")
    for shown in (text, health):
        for private in (CALLER[-7:], "Caller One", "secret"):
            assert private not in shown


async def test_a_text_that_failed_counts_no_time(edge: Edge) -> None:
    await edge.books.miss()
    await edge.books.settle("text", InDoubt("?"))
    found = await edge.metrics()
    assert found["ringback_missed_to_text_seconds_count"] == 0
    assert found["ringback_orders_total,text,in_doubt"] == 1


# ---------------------------------------------------------------------------------------------------------------- loopback
async def test_the_web_edge_listens_on_loopback_alone(edge: Edge) -> None:
    assert WebSection().host == "127.0.0.1"
    assert edge.web._public.addresses == [("127.0.0.1", edge.port)]


async def test_the_control_routes_are_not_on_the_network_and_nothing_is_written_through_it(edge: Edge) -> None:
    for path in ("/status", "/reload", "/command/ack", "/"):
        assert (await edge.get(path))[0] == 404
    async with aiohttp.ClientSession() as session, session.post(f"http://127.0.0.1:{edge.port}/health") as answer:
        assert answer.status == 405


async def test_a_port_that_is_taken_is_told(edge: Edge, tmp_path: Path) -> None:
    control = Control(edge.books.recorder, edge.books.clock, edge.health, edge.reload)
    metrics = Metrics(edge.health, dict)
    second = WebEdge(WebSection(port=edge.port), edge.health, metrics, control, tmp_path / "b" / "c.sock")
    with pytest.raises(OSError, match="address already in use"):
        await second.start()
    await second.stop()


# --------------------------------------------------------------------------------------------------------- control socket
def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def test_the_control_socket_is_for_its_owner_alone(edge: Edge) -> None:
    assert mode(edge.socket) == 0o600
    assert mode(edge.socket.parent) == 0o700


async def test_a_folder_that_was_open_to_others_is_closed_and_a_dead_socket_replaced(edge: Edge) -> None:
    await edge.web.stop()
    assert not _exists(edge.socket)
    edge.socket.parent.chmod(0o755)
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(edge.socket))
    control = Control(edge.books.recorder, edge.books.clock, edge.health, edge.reload)
    again = WebEdge(WebSection(port=free_port()), edge.health, Metrics(edge.health, dict), control, edge.socket)
    await again.start()
    try:
        assert mode(edge.socket.parent) == 0o700
        assert (await edge.ask("GET", "/status"))[0] == 200
    finally:
        await again.stop()


def _exists(path: Path) -> bool:
    return path.exists()


async def test_status_shows_the_parts_and_the_policy_in_force(edge: Edge) -> None:
    status, body = await edge.ask("GET", "/status")
    assert status == 200
    assert (body["status"], body["policy"]) == ("ok", edge.books.policy.version)


async def test_a_lead_is_taken_and_closed_by_agents_that_are_known(edge: Edge) -> None:
    await edge.books.miss()
    assert await edge.ask("POST", "/command/ack", {"lead": 1, "by": "zoe"}) == (
        409,
        {"error": "there is no agent 'zoe'; known: ana, bob, cleo"},
    )
    status, body = await edge.ask("POST", "/command/ack", {"lead": 1, "by": "ana"})
    assert (status, body) == (200, {"done": "lead_acknowledged by ana", "seq": 2})
    assert await edge.ask("POST", "/command/ack", {"lead": 1, "by": "bob"}) == (
        409,
        {"error": "lead 1 was taken by ana"},
    )
    status, body = await edge.ask("POST", "/command/close", {"lead": 1, "by": "bob", "note": "sold"})
    assert (status, body["done"]) == (200, "lead_closed by bob “sold”")
    assert await edge.ask("POST", "/command/close", {"lead": 2, "by": "bob"}) == (409, {"error": "there is no lead 2"})


async def test_of_two_agents_who_take_a_lead_at_once_one_is_told_that_it_is_taken(edge: Edge) -> None:
    await edge.books.miss()
    answers = await asyncio.gather(*[edge.ask("POST", "/command/ack", {"lead": 1, "by": by}) for by in ("ana", "bob")])
    assert sorted(status for status, _ in answers) == [200, 409]
    refused = next(body["error"] for status, body in answers if status == 409)
    assert refused in ("lead 1 was taken by ana", "lead 1 was taken by bob")
    events = await edge.books.store.read(
        lambda db: db.execute("SELECT count(*) FROM events WHERE type = 'LeadAcknowledged'").fetchone()[0]
    )
    assert events == 1


async def test_an_opt_out_given_in_person_is_kept(edge: Edge) -> None:
    status, body = await edge.ask("POST", "/command/optout", {"number": CALLER, "by": "ana", "note": "by voicemail"})
    assert (status, body["done"]) == (200, f"opt_out_recorded {CALLER} by ana “by voicemail”")

    def said(db: Database) -> ConsentState:
        return people.consent(db, CALLER, Channel.TEXT).state

    assert await edge.books.store.read(said) is ConsentState.OPTED_OUT


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("ack", b"\xff\x00 garbage"),
        ("ack", b""),
        ("ack", b"[1, 2]"),
        ("ack", b"null"),
        ("ack", {}),
        ("ack", {"lead": "1", "by": "ana"}),
        ("ack", {"lead": True, "by": "ana"}),
        ("ack", {"lead": 1.5, "by": "ana"}),
        ("ack", {"lead": -1, "by": "ana"}),
        ("ack", {"lead": 2**63, "by": "ana"}),
        ("ack", b'{"lead": 99999999999999999999999999, "by": "ana"}'),
        ("ack", {"lead": 1, "by": ["ana"]}),
        ("close", {"lead": 1, "by": "ana", "note": "x" * (LONGEST_WORDS + 1)}),
        ("optout", {"number": "12", "by": "ana"}),
        ("optout", {"number": "+1305555014²", "by": "ana"}),
        ("drop", {"lead": 1, "by": "ana"}),
    ],
)
async def test_garbage_is_refused_with_a_sentence_and_changes_nothing(edge: Edge, name: str, body: object) -> None:
    await edge.books.miss()
    status, answer = await edge.ask("POST", f"/command/{name}", body)
    assert status == 400
    assert answer["error"].startswith("not understood: ")
    count = await edge.books.store.read(lambda db: db.table("events").count)
    assert count == 1
    assert (await edge.ask("GET", "/status"))[0] == 200


async def test_what_is_too_large_or_no_http_does_not_hurt_the_others(edge: Edge) -> None:
    status, _ = await edge.ask("POST", "/command/ack", io.BytesIO(b"x" * 2_000_000))
    assert status == 413
    reader, writer = await asyncio.open_unix_connection(str(edge.socket))
    writer.write(b"\x16\x03\x01 no HTTP at all\r\n\r\n")
    assert b"400" in await reader.readline()
    writer.close()
    assert (await edge.ask("GET", "/status"))[0] == 200


async def test_a_command_that_the_store_cannot_take_is_told_as_such(
    edge: Edge, monkeypatch: pytest.MonkeyPatch
) -> None:
    await edge.books.miss()

    async def full(job: Job[T]) -> T:
        raise StoreUnavailableError("the disk is full: make room")

    monkeypatch.setattr(edge.books.store, "write", full)
    answer = await edge.ask("POST", "/command/ack", {"lead": 1, "by": "ana"})
    assert answer == (503, {"error": "the disk is full: make room"})


async def test_a_reload_says_what_changed_or_why_it_was_refused(edge: Edge) -> None:
    problem = Problem(Severity.ERROR, Mark(Path("ringback.yaml"), 3, 5), "plans", "unknown key")
    edge.reloads = [{"before": "a", "now": "b", "after_restart": ["web"]}, SettingsError([problem])]
    assert await edge.ask("POST", "/reload") == (200, {"before": "a", "now": "b", "after_restart": ["web"]})
    status, body = await edge.ask("POST", "/reload")
    assert status == 409
    assert [(one["where"], one["line"]) for one in body["problems"]] == [("plans", 3)]
