"""A real mail server (aiosmtpd) that answers as a test says."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

from tests.support.ports import free_port

USER, PASSWORD = "ringback", "correct horse"


@dataclass
class Post:
    """Everything that was handed in. rcpt: answers by recipient. data: the answers to messages, then 250.

    cut: messages that are taken, and whose acknowledgement never comes because the connection goes.
    """

    port: int
    messages: list[EmailMessage] = field(default_factory=list)
    recipients: list[list[str]] = field(default_factory=list)
    encrypted: list[bool] = field(default_factory=list)
    users: list[str] = field(default_factory=list)
    rcpt: dict[str, str] = field(default_factory=dict)
    data: list[str] = field(default_factory=list)
    cut: int = 0

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        answer = self.rcpt.get(address, "250 OK")
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        answer = self.data.pop(0) if self.data else "250 taken"
        if not answer.startswith("250"):
            return answer
        message = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(message, EmailMessage)
        self.messages.append(message)
        self.recipients.append(list(envelope.rcpt_tos))
        self.encrypted.append(server.transport.get_extra_info("sslcontext") is not None)
        if self.cut:
            self.cut -= 1
            server.transport.abort()
        return answer

    def authenticate(self, server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        assert isinstance(data, LoginPassword)
        right = data.login == USER.encode() and data.password == PASSWORD.encode()
        if right:
            self.users.append(data.login.decode())
        return AuthResult(success=right, handled=right)  # what is not handled is answered with 535


def words(message: EmailMessage) -> str:
    """The body, with the line ends of this machine."""
    return str(message.get_content()).replace("\r\n", "\n")


@contextmanager
def post(tls: ssl.SSLContext | None = None, *, auth: bool = False, implicit: bool = False) -> Iterator[Post]:
    """A mail server on loopback. tls: it demands STARTTLS, or with ``implicit`` speaks TLS from the first octet."""
    served = Post(free_port())
    options: dict[str, Any] = (
        {"ssl_context": tls} if implicit else {"tls_context": tls, "require_starttls": tls is not None}
    )
    controller = Controller(
        served,
        hostname="127.0.0.1",
        port=served.port,
        authenticator=served.authenticate,
        auth_required=auth,
        auth_require_tls=tls is not None and not implicit,
        **options,
    )
    controller.start()
    try:
        yield served
    finally:
        controller.stop()
