"""E-mail by SMTP submission: to callers, and alerts to agents. The Message-ID is made from the effect's id, so that a second
delivery of the same order is one message for every mail program."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path

import aiosmtplib
import structlog

from ari_app.clock import Clock
from ari_app.notify.alerts import alert_subject, alert_text
from ari_app.recovery.effects import AlertAgent, SendEmail
from ari_app.recovery.policy import Policy
from ari_app.recovery.templates import clean
from ari_app.runtime.dispatcher import retry_wait
from ari_app.runtime.outcome import Done, Failed, Outcome, RetryAt
from ari_app.runtime.recorder import Recorder
from ari_app.settings.delivery import EmailSection, MailSecurity
from ari_app.store.outbox import Order

log = structlog.get_logger("email")


class AddressError(ValueError):
    """Something on file as an e-mail address is none."""


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where mail is handed in. password: read from its reference, never logged. ca_file: of a private authority."""

    options: EmailSection
    password: str | None
    ca_file: Path | None
    installation: str
    """Makes Message-IDs of two installations differ."""


class Mailer:
    """Hands one message to the mail server."""

    def __init__(self, server: MailServer) -> None:
        self._server = server
        options = server.options
        self._tls = (
            None
            if options.security is MailSecurity.NONE
            else ssl.create_default_context(cafile=None if server.ca_file is None else str(server.ca_file))
        )

    @property
    def sender(self) -> str:
        return self._server.options.sender

    async def send(self, message: EmailMessage) -> list[str]:
        """Hand it in; returns those recipients, if not all, whom the server refused.

        Raises aiosmtplib.SMTPException or OSError: nobody gets it, or nobody knows.
        """
        options = self._server.options
        refused, _ = await aiosmtplib.send(
            message,
            hostname=options.host,
            port=options.port,
            username=options.user,
            password=self._server.password,
            use_tls=options.security is MailSecurity.TLS,
            start_tls=options.security is MailSecurity.STARTTLS,
            tls_context=self._tls,
            timeout=options.timeout,
        )
        return list(refused)

    async def probe(self) -> None:
        """Connect, say hello, log in, and leave. Raises aiosmtplib.SMTPException or OSError."""
        options = self._server.options
        client = aiosmtplib.SMTP(
            hostname=options.host,
            port=options.port,
            username=options.user,
            password=self._server.password,
            use_tls=options.security is MailSecurity.TLS,
            start_tls=options.security is MailSecurity.STARTTLS,
            tls_context=self._tls,
            timeout=options.timeout,
        )
        async with client:
            await client.noop()

    def message(self, order: Order, to: list[str], subject: str, body: str, clock: Clock, sender: str) -> EmailMessage:
        """A plain-text message. Headers are set from cleaned values, addresses are parsed. Raises AddressError."""
        options = self._server.options
        message = EmailMessage()
        message["From"] = Address(clean(options.sender_name or sender, 80), addr_spec=options.sender)
        message["To"] = [_recipient(address) for address in to]
        message["Subject"] = clean(subject, 200)
        message["Date"] = format_datetime(clock.now())
        domain = options.sender.rpartition("@")[2]
        message["Message-ID"] = f"<{order.effect_id}.{self._server.installation}@{domain}>"
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834 section 5: no machine shall answer it
        message.set_content(body)
        return message


class EmailAdapter:
    """Carries e-mails and alerts from the outbox to the mail server."""

    def __init__(self, mailer: Mailer | None, recorder: Recorder, clock: Clock, postal_address: str | None) -> None:
        """mailer: None when the settings have no e-mail section; orders then fail, and say so."""
        self._mailer = mailer
        self._recorder = recorder
        self._clock = clock
        self._postal_address = postal_address

    async def act(self, order: Order) -> Outcome:
        """Hand it in. A repetition carries the same Message-ID."""
        if self._mailer is None:
            return Failed("the settings have no email section")
        policy = self._recorder.policy
        effect = order.effect
        match effect:
            case AlertAgent(agents=agents):
                to = [address for key in agents if (address := _address(policy, key)) is not None]
                if not to:
                    return Failed(f"no e-mail address is on file for {', '.join(agents)}")
                subject, body = alert_subject(effect), alert_text(effect, policy)
            case SendEmail(to=address):
                to, subject = [address], effect.subject
                foot = [] if self._postal_address is None else ["", "--", policy.brokerage, self._postal_address]
                body = "\n".join([effect.body, *foot])
            case _:
                return Failed(f"not an e-mail: {type(effect).__name__}")
        try:
            message = self._mailer.message(order, to, subject, body, self._clock, policy.brokerage)
            refused = await self._mailer.send(message)
        except AddressError as error:
            return Failed(str(error))
        except aiosmtplib.SMTPRecipientsRefused as error:
            return self._refused(order, error.recipients)
        except aiosmtplib.SMTPResponseException as error:
            # A wrong password is mended by a person meanwhile: the order waits.
            if isinstance(error, aiosmtplib.SMTPAuthenticationError):
                return self._retry(order, error)
            return self._refused(order, [error])
        except (aiosmtplib.SMTPException, OSError) as error:
            return self._retry(order, error)
        if refused:
            log.warning("recipients_refused", outbox_id=order.effect_id, refused=len(refused), of=len(to))
        return Done(ref=message["Message-ID"])

    def _refused(self, order: Order, answers: Sequence[aiosmtplib.SMTPResponseException]) -> Outcome:
        """RFC 5321 section 4.2.1: 4yz may succeed later, 5yz never."""
        last = answers[-1]
        if all(500 <= answer.code < 600 for answer in answers):
            return Failed(f"the mail server refused it: {last.code} {clean(last.message, 120)}")
        return self._retry(order, last)

    def _retry(self, order: Order, error: Exception) -> RetryAt:
        return RetryAt(
            self._clock.now() + retry_wait(order.attempts), f"{type(error).__name__}: {clean(str(error), 160)}"
        )


def is_address(text: str) -> bool:
    """Whether ``text`` is one e-mail address, and nothing besides."""
    try:
        _recipient(text)
    except AddressError:
        return False
    return True


def _recipient(address: str) -> Address:
    """Raises AddressError."""
    try:
        parsed = Address(addr_spec=address)
    except (ValueError, IndexError, MessageError):  # IndexError: the library's own parser, at the end of its input
        parsed = Address()
    if not parsed.username or not parsed.domain:
        raise AddressError(f"{clean(address, 80)!r} is no e-mail address")
    return parsed


def _address(policy: Policy, key: str) -> str | None:
    agent = policy.agents.get(key)
    return None if agent is None else agent.email
