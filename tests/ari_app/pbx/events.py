"""Events as Asterisk 22.10.1 sent them, to parse, to damage, and to send again."""

from __future__ import annotations

from typing import Any

CHANNEL: dict[str, Any] = {
    "id": "ringback-1795478777.0",
    "name": "PJSIP/carrier-00000000",
    "state": "Ring",
    "protocol_id": "3MD7bnJQJxWFGH-oHiLzr.Zt8T9VeylK",
    "caller": {"name": "Buyer", "number": "+13055550199"},
    "connected": {"name": "", "number": ""},
    "accountcode": "",
    "dialplan": {
        "context": "inbound",
        "exten": "+13055550101",
        "priority": 2,
        "app_name": "Stasis",
        "app_data": "ringback,inbound,+13055550101",
    },
    "creationtime": "2026-11-24T00:06:17.293+0000",
    "language": "en",
}
BRIDGE: dict[str, Any] = {
    "id": "b-1",
    "technology": "simple_bridge",
    "bridge_type": "mixing",
    "bridge_class": "stasis",
    "creator": "Stasis",
    "name": "",
    "channels": ["ringback-1795478777.0"],
    "creationtime": "2026-11-24T00:06:18.005+0000",
    "video_mode": "none",
}
ENDPOINT: dict[str, Any] = {"technology": "PJSIP", "resource": "101", "state": "online", "channel_ids": []}
PLAYBACK: dict[str, Any] = {
    "id": "p-1",
    "media_uri": "sound:/srv/sounds/notice",
    "target_uri": "channel:ringback-1795478777.0",
    "language": "en",
    "state": "done",
}
RECORDING: dict[str, Any] = {
    "name": "r-1",
    "format": "wav",
    "state": "done",
    "target_uri": "channel:ringback-1795478777.0",
    "duration": 3,
}


def event(kind: str, **fields: Any) -> dict[str, Any]:
    return {
        "type": kind,
        "timestamp": "2026-11-24T00:06:18.123+0000",
        "asterisk_id": "02:00:00:00:00:01",
        "application": "ringback",
        **fields,
    }


EVENTS: tuple[dict[str, Any], ...] = (
    event("StasisStart", args=["inbound", "+13055550101"], channel=CHANNEL),
    event("StasisEnd", channel=CHANNEL),
    event("ChannelStateChange", channel=CHANNEL),
    event("ChannelDestroyed", cause=16, cause_txt="Normal Clearing", channel=CHANNEL),
    event("ChannelHangupRequest", cause=16, channel=CHANNEL),
    event("ChannelHangupRequest", channel=CHANNEL),
    event("ChannelDtmfReceived", digit="1", duration_ms=120, channel=CHANNEL),
    event("ChannelHold", channel=CHANNEL),
    event("ChannelUnhold", channel=CHANNEL),
    event("ChannelEnteredBridge", bridge=BRIDGE, channel=CHANNEL),
    event("ChannelLeftBridge", bridge=BRIDGE, channel=CHANNEL),
    event("BridgeDestroyed", bridge=BRIDGE),
    event("Dial", peer=CHANNEL, caller=CHANNEL, dialstatus="RINGING", forward="", dialstring="101"),
    event("Dial", peer=CHANNEL, dialstatus=""),
    event("PlaybackStarted", playback=PLAYBACK),
    event("PlaybackFinished", playback=PLAYBACK),
    event("RecordingFinished", recording=RECORDING),
    event("RecordingFailed", recording={**RECORDING, "state": "failed", "cause": "disk full"}),
    event("TextMessageReceived", message={"from": "sip:1@a", "to": "pjsip:2@b", "body": "hi"}, endpoint=ENDPOINT),
    event("TextMessageReceived", message={"from": "sip:1@a", "to": "pjsip:2@b", "body": "hi", "variables": {}}),
    event("ApplicationReplaced"),
    event("ChannelUserevent", eventname="RingbackProbe", userevent={"eventname": "RingbackProbe"}),
    event(
        "ContactStatusChange",
        endpoint=ENDPOINT,
        contact_info={"uri": "sip:a", "contact_status": "Reachable", "aor": "1"},
    ),
    event("PeerStatusChange", endpoint=ENDPOINT, peer={"peer_status": "Registered"}),
)
