"""What Asterisk's words mean for a call that is watched: technologies, applications, causes; and who hears whom. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ari_app.calls.events import LegEnd

NOBODY = {
    *("Local", "Message", "Announcer", "Recorder", "Snoop", "Surrogate", "CBAnn", "CBRec", "Bridge"),
    *("UnicastRTP", "MulticastRTP", "AudioSocket", "WebSocket", "ConfBridgeRecorder"),
}
"""Channel technologies that are no phone."""
TRYING = {"dial", "queue", "followme", "retrydial"}
"""Applications that call phones, in lower case."""
FOLLOWME = "followme"
"""Of these, the one that has whoever answers press a key, without an application of its own on the leg."""
ASKING = "read"
"""The application that waits for a key. On a leg that is up and not yet joined: Confirm Calls, or what U() of Dial runs."""
MAILBOX = {"voicemail", "minivmrecord"}
QUEUE = "queue"
CAUSES = {17: LegEnd.BUSY, 21: LegEnd.REJECTED, 26: LegEnd.CANCELLED}
"""Hang-up causes (Q.850) that carry weight; all others are not reliable."""


def heard_by(
    caller: str, bridges: Mapping[str, str], rooms: Mapping[str, Sequence[str]], partners: Mapping[str, str]
) -> Iterator[str]:
    """The channels that bridges and Local channels lead to from ``caller``, all by unique id, Local halves among them.

    bridges: the bridge that a channel is in. rooms: the channels in a bridge. partners: the other half of a Local channel.
    """
    reached, ahead = {caller}, [caller]
    while ahead:
        bridge = bridges.get(ahead.pop())
        for uniqueid in () if bridge is None else rooms[bridge]:
            if uniqueid in reached:
                continue
            reached.add(uniqueid)
            partner = partners.get(uniqueid)
            if partner is not None and partner not in reached:
                reached.add(partner)
                ahead.append(partner)
            yield uniqueid
