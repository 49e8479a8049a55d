"""Sections ``email``, ``crm``, ``web`` and ``log``: where facts go, and how we are watched."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, StringConstraints

from ari_app.settings.brokerage import EmailAddress, Words
from ari_app.settings.model import Duration, Secret, Section
from ari_app.settings.pbx import Host, Port


class MailSecurity(StrEnum):
    STARTTLS = "starttls"
    TLS = "tls"
    NONE = "none"
    """Only for a server on this machine."""


class EmailSection(Section):
    """The brokerage's own mail server (SMTP submission)."""

    host: Host
    port: Port = 587
    security: MailSecurity = MailSecurity.STARTTLS
    ca_file: Path | None = None
    user: str | None = None
    password: Secret | None = None
    sender: EmailAddress
    sender_name: Words | None = None
    timeout: Duration = Field(default=30.0, ge=1)


def _has_host(url: str) -> str:
    try:
        host = urlsplit(url).hostname
    except ValueError:
        host = None
    if not host:
        raise ValueError(f"found {url!r}; expected an address such as https://crm.example/hooks")
    return url


class JsonlCrm(Section):
    """Every push is one line of JSON, appended and flushed to disk."""

    type: Literal["jsonl"]
    file: Path


class WebhookCrm(Section):
    """Every push is one signed POST (Standard Webhooks: id, timestamp, HMAC-SHA256)."""

    type: Literal["webhook"]
    url: Annotated[str, StringConstraints(pattern=r"^https?://[^\s]+$", max_length=2000), AfterValidator(_has_host)]
    secret: Secret
    timeout: Duration = Field(default=15.0, ge=1)


CrmSection = Annotated[JsonlCrm | WebhookCrm, Field(discriminator="type")]


class WebSection(Section):
    """``/metrics`` and ``/health``, on loopback."""

    host: Host = "127.0.0.1"
    port: Port = 8770


class LogFormat(StrEnum):
    PLAIN = "plain"
    JSON = "json"


class LogLevel(StrEnum):
    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"


class LogSection(Section):
    level: LogLevel = LogLevel.INFO
    format: LogFormat = LogFormat.PLAIN
