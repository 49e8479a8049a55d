"""Alerts and e-mails, handed to a real mail server."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from ari_app.notify.email import AddressError, EmailAdapter, Mailer, MailServer, _recipient
from ari_app.recovery.effects import AlertAgent, LeadRecord, PushLead, SendEmail, WorldEffect
from ari_app.recovery.values import AlertReason, EffectId
from ari_app.runtime.outcome import Done, Failed, Outcome, RetryAt
from tests.ari_app.notify.post import PASSWORD, USER, Post, post, words
from tests.sms_gateway.certificates import Certificate, make_certificate
from tests.support.books import NOON, Books
from tests.support.effects import RECORD, order
from tests.support.ports import free_port

PLAIN = "email: {host: 127.0.0.1, port: 2525, security: none, sender: ringback@harbor.example}"


@contextmanager
def adapter(folder: Path, section: str, password: str | None = None) -> Iterator[EmailAdapter]:
    """The adapter of the office whose settings hold this e-mail section."""
    books = Books(folder, (PLAIN, f"email: {section}"))
    options = books.settings.document.email
    assert options is not None
    ca_file = None if options.ca_file is None else folder / options.ca_file
    mailer = Mailer(MailServer(options, password, ca_file, "a1b2c3"))
    try:
        yield EmailAdapter(mailer, books.recorder, books.clock, "100 Harbor Street, Miami")
    finally:
        books.close()


def plain(port: int) -> str:
    return f"{{host: 127.0.0.1, port: {port}, security: none, sender: ringback@harbor.example, timeout: 2s}}"


def secure(port: int, ca_file: Path, security: str = "starttls") -> str:
    return (
        f"{{host: localhost, port: {port}, security: {security}, ca_file: {ca_file}, user: {USER},"
        " password: {env: X}, sender: ringback@harbor.example, timeout: 2s}"
    )


def alert(*agents: str, record: LeadRecord = RECORD) -> AlertAgent:
    return AlertAgent(reason=AlertReason.MISSED, agents=agents or ("ana",), record=record)


def mail(to: str = "caller@home.example", subject: str = "Your call", body: str = "We missed you.") -> SendEmail:
    return SendEmail(to=to, template="follow_up", subject=subject, body=body)


async def hand_in(folder: Path, served: Post, effect: WorldEffect, attempts: int = 1) -> Outcome:
    with adapter(folder, plain(served.port)) as email:
        return await email.act(order(effect, attempts=attempts))


# ----------------------------------------------------------------------------------------------------------- what is said
async def test_an_alert_reaches_every_agent_that_it_names(tmp_path: Path) -> None:
    with post() as served:
        outcome = await hand_in(tmp_path, served, alert("ana", "bob"))
    assert outcome == Done(ref="<12.3.a1b2c3@harbor.example>")
    [message] = served.messages
    assert served.recipients == [["ana@harbor.example", "bob@harbor.example"]]
    assert message["To"] == "ana@harbor.example, bob@harbor.example"
    assert message["From"] == "Harbor Realty <ringback@harbor.example>"
    assert message["Subject"] == "Missed call: +13055550142, 12 Ocean Drive (lead 7)"
    assert message["Date"] == "Tue, 24 Nov 2026 17:00:00 +0000"
    assert message["Auto-Submitted"] == "auto-generated"
    assert "ringback ack 7" in words(message)


async def test_an_e_mail_to_a_caller_ends_with_who_we_are(tmp_path: Path) -> None:
    with post() as served:
        await hand_in(tmp_path, served, mail())
    [message] = served.messages
    assert message["To"] == "caller@home.example"
    assert words(message).splitlines() == [
        "We missed you.",
        "",
        "--",
        "Harbor Realty",
        "100 Harbor Street, Miami",
    ]


async def test_a_repetition_carries_the_same_message_id_and_another_order_another(tmp_path: Path) -> None:
    with post() as served, adapter(tmp_path, plain(served.port)) as email:
        again = order(mail())
        for attempt in (1, 2):
            await email.act(replace(again, attempts=attempt))
        await email.act(replace(again, effect_id=EffectId("13.0")))
    ids = [message["Message-ID"] for message in served.messages]
    assert ids[0] == ids[1]
    assert ids[2] != ids[0]


@pytest.mark.parametrize(
    "name",
    [
        "Eve\r\nBcc: victim@elsewhere.example",
        "Eve\nSubject: other",
        "Eve\r\n.\r\nMAIL FROM:<x@y.example>",
        "Eve\u2028Bcc: victim@elsewhere.example",
        "Eve\x00\x1b[31m",
        "Eve\x0bBcc: victim@elsewhere.example",
    ],
)
async def test_no_callers_name_adds_a_header_a_recipient_or_a_line(tmp_path: Path, name: str) -> None:
    record = replace(RECORD, name=name, replies=("yes\r\n.\r\nQUIT",), email=None)
    with post() as served:
        outcome = await hand_in(tmp_path, served, alert(record=record))
    assert isinstance(outcome, Done), outcome
    [message] = served.messages
    assert served.recipients == [["ana@harbor.example"]]
    assert set(message.keys()) == {
        *("From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted"),
        *("Content-Type", "Content-Transfer-Encoding", "MIME-Version"),
    }
    assert message["Subject"].strip().startswith("Missed call: Eve")
    assert len([line for line in words(message).splitlines() if line.startswith(("Bcc", "Subject", "MAIL"))]) == 0


@pytest.mark.parametrize(
    "address",
    [
        "a@b.example, victim@elsewhere.example",
        "a@b.example\r\nBcc: victim@elsewhere.example",
        "not an address",
        "<a@b.example> (x)",
        "",
    ],
)
async def test_an_address_on_file_that_is_none_fails_at_once_and_reaches_nobody(tmp_path: Path, address: str) -> None:
    with post() as served:
        outcome = await hand_in(tmp_path, served, mail(to=address))
    assert isinstance(outcome, Failed), outcome
    assert "is no e-mail address" in outcome.why
    assert served.messages == []


@given(st.text(max_size=40))
def test_whatever_stands_on_file_as_an_address_is_an_address_or_refused(text: str) -> None:
    try:
        address = _recipient(text)
    except AddressError:
        return
    assert "@" in text
    assert not {"\r", "\n"} & set(str(address))
    assert address.username
    assert address.domain


async def test_any_words_arrive_as_they_were_written(tmp_path: Path) -> None:
    body = "Grüße 😀\n.\n..\nFrom me\n" + "x" * 2000
    with post() as served:
        await hand_in(tmp_path, served, mail(subject="Ihr Anruf – Größe", body=body))
    [message] = served.messages
    assert message["Subject"] == "Ihr Anruf – Größe"
    assert words(message).startswith(body)


# ------------------------------------------------------------------------------------------------------- what is answered
@pytest.mark.parametrize(
    ("attempts", "seconds"),
    [(1, 2), (4, 16)],
)
async def test_a_server_that_cannot_now_is_asked_again_later(tmp_path: Path, attempts: int, seconds: int) -> None:
    with post() as served:
        served.data = ["451 try later"]
        outcome = await hand_in(tmp_path, served, mail(), attempts)
    assert isinstance(outcome, RetryAt), outcome
    assert outcome.at == NOON + timedelta(seconds=seconds)
    assert "451" in outcome.why or "try later" in outcome.why


async def test_a_server_that_refuses_is_not_asked_again(tmp_path: Path) -> None:
    with post() as served:
        served.data = ["554 no spam\x07 here"]
        outcome = await hand_in(tmp_path, served, mail())
    assert outcome == Failed("the mail server refused it: 554 no spam here")


@pytest.mark.parametrize(
    ("answer", "expected"), [("550 no such user", Failed), ("450 greylisted", RetryAt)], ids=["never", "later"]
)
async def test_a_recipient_is_refused_for_good_or_for_now(tmp_path: Path, answer: str, expected: type[Outcome]) -> None:
    with post() as served:
        served.rcpt["caller@home.example"] = answer
        outcome = await hand_in(tmp_path, served, mail())
    assert isinstance(outcome, expected), outcome
    assert answer.split()[1] in getattr(outcome, "why", "")


async def test_when_one_of_two_is_refused_the_other_is_told_and_we_say_so(tmp_path: Path) -> None:
    with post() as served, capture_logs() as logs:
        served.rcpt["bob@harbor.example"] = "550 no such user"
        outcome = await hand_in(tmp_path, served, alert("ana", "bob"))
    assert isinstance(outcome, Done)
    assert served.recipients == [["ana@harbor.example"]]
    assert ("recipients_refused", 1, 2) in [(entry["event"], entry.get("refused"), entry.get("of")) for entry in logs]


async def test_a_message_whose_acknowledgement_is_lost_comes_again_and_is_known_by_its_id(tmp_path: Path) -> None:
    with post() as served:
        served.cut = 1
        first = await hand_in(tmp_path, served, mail())
        assert isinstance(first, RetryAt), first
        second = await hand_in(tmp_path, served, mail(), attempts=2)
    assert isinstance(second, Done)
    assert len({message["Message-ID"] for message in served.messages}) == 1
    assert len(served.messages) == 2


async def test_a_server_that_is_not_there_is_tried_again(tmp_path: Path) -> None:
    with adapter(tmp_path, plain(free_port())) as email:
        outcome = await email.act(order(mail()))
    assert isinstance(outcome, RetryAt)


async def test_a_server_that_never_answers_is_given_up_in_time(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        section = plain(silent.getsockname()[1]).replace("2s", "1s")
        with adapter(tmp_path, section) as email:
            outcome = await email.act(order(mail()))
    assert isinstance(outcome, RetryAt)
    assert "SMTPConnectTimeoutError" in outcome.why or "Timeout" in outcome.why


# ------------------------------------------------------------------------------------------------------------ TLS and AUTH
@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make_certificate(tmp_path_factory.mktemp("certificates"), "localhost")


def guarded(certificate: Certificate) -> AbstractContextManager[Post]:
    """A server that takes mail over TLS only, and from those who log in."""
    return post(certificate.server_context(), auth=True)


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_mail_goes_encrypted_and_with_our_password(
    tmp_path: Path, certificate: Certificate, security: str
) -> None:
    implicit = security == "tls"
    with post(certificate.server_context(), auth=not implicit, implicit=implicit) as served:
        section = secure(served.port, certificate.path, security)
        if implicit:  # aiosmtpd offers AUTH only where it has seen STARTTLS itself
            section = section.replace(f"user: {USER}, password: {{env: X}}, ", "")
        with adapter(tmp_path, section, None if implicit else PASSWORD) as email:
            assert isinstance(await email.act(order(mail())), Done)
    assert served.encrypted == [True]
    assert served.users == ([] if implicit else [USER])


async def test_a_certificate_that_nobody_vouches_for_gets_no_mail_and_no_password(
    tmp_path: Path, certificate: Certificate
) -> None:
    other = make_certificate(tmp_path, "localhost")
    with (
        post(certificate.server_context(), auth=True) as served,
        adapter(tmp_path, secure(served.port, other.path), PASSWORD) as email,
    ):
        outcome = await email.act(order(mail()))
    assert isinstance(outcome, RetryAt)
    assert "certificate verify failed" in outcome.why
    assert served.messages == []
    assert served.users == []


async def test_a_certificate_of_another_name_gets_no_mail(tmp_path: Path) -> None:
    other = make_certificate(tmp_path, "mail.elsewhere.example")
    with (
        post(other.server_context(), auth=True) as served,
        adapter(tmp_path, secure(served.port, other.path), PASSWORD) as email,
    ):
        outcome = await email.act(order(mail()))
    assert isinstance(outcome, RetryAt)
    assert "verify failed" in outcome.why
    assert served.messages == []


async def test_a_server_without_starttls_gets_no_mail(tmp_path: Path, certificate: Certificate) -> None:
    with post() as served, adapter(tmp_path, secure(served.port, certificate.path), PASSWORD) as email:
        outcome = await email.act(order(mail()))
    assert isinstance(outcome, RetryAt)
    assert served.messages == []


async def test_a_wrong_password_waits_for_a_person_to_mend_it(tmp_path: Path, certificate: Certificate) -> None:
    with (
        post(certificate.server_context(), auth=True) as served,
        adapter(tmp_path, secure(served.port, certificate.path), "wrong") as email,
    ):
        outcome = await email.act(order(mail()))
    assert isinstance(outcome, RetryAt), outcome
    assert "535" in outcome.why
    assert "wrong" not in outcome.why
    assert served.messages == []


# --------------------------------------------------------------------------------------------------------- what is missing
async def test_without_an_email_section_orders_fail_and_say_so(tmp_path: Path) -> None:
    books = Books(tmp_path)
    email = EmailAdapter(None, books.recorder, books.clock, None)
    assert await email.act(order(mail())) == Failed("the settings have no email section")
    books.close()


async def test_agents_without_an_address_are_named(tmp_path: Path) -> None:
    with adapter(tmp_path, plain(free_port())) as email:
        assert await email.act(order(alert("zoe", "yan"))) == Failed("no e-mail address is on file for zoe, yan")


async def test_an_order_of_another_kind_fails(tmp_path: Path) -> None:
    with adapter(tmp_path, plain(free_port())) as email:
        outcome = await email.act(order(PushLead(target="file", record=RECORD)))
    assert outcome == Failed("not an e-mail: PushLead")


async def test_without_a_postal_address_the_mail_ends_with_its_words(tmp_path: Path) -> None:
    with post() as served, adapter(tmp_path, plain(served.port)) as email:
        email._postal_address = None
        await email.act(order(mail()))
    assert words(served.messages[0]) == "We missed you.\n"


async def test_a_probe_logs_in_and_sends_nothing(tmp_path: Path, certificate: Certificate) -> None:
    with (
        post(certificate.server_context(), auth=True) as served,
        adapter(tmp_path, secure(served.port, certificate.path), PASSWORD) as email,
    ):
        assert email._mailer is not None
        assert email._mailer.sender == "ringback@harbor.example"
        await email._mailer.probe()
    assert served.users == [USER]
    assert served.messages == []
