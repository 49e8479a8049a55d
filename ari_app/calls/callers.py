"""Who calls, as the network tells it. Untrusted."""

from __future__ import annotations

from ari_app.recovery.templates import clean


def name_of(name: str, number: str) -> str | None:
    """The caller's name, if the network gave one that is not the number again."""
    cleaned = clean(name, 80)
    return cleaned if cleaned and cleaned != number and not cleaned.lstrip("+").isdecimal() else None
