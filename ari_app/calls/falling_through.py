"""Gives a call to the dialplan: what Ringback does not take, or can no longer see to its end, rings the phones all the same."""

from __future__ import annotations

from ari_app.pbx.ari import Ari


async def fall_through(ari: Ari, call_id: str, dialled: str) -> None:
    """The dialplan rings the phones by itself. Raises AriError."""
    digits = dialled.removeprefix("+")
    extension = digits if digits.isdecimal() else "s"
    await ari.channels.continue_in_dialplan(call_id, context="ring-groups", extension=extension, priority=1)
