"""Good messages of each kind, as their senders wrote them: what damage and search begin from."""

from __future__ import annotations

import base64

import orjson

from sms_gateway.smpp import pdu as wire
from tests.ari_app.pbx.events import EVENTS
from tests.sms_gateway.test_pdu import BODIES
from tests.support.office import OFFICE

_CDR = (
    b'"pbx-1795479151.0","pbx-1795479151.0","0","1795479151.090496","0.000000","1795479152.097747","1","0","NO ANSWER",'
    b'"+13055550199","13055550101","ring-groups","PJSIP/carrier-00000000","PJSIP/101-00000001","Dial","PJSIP/101,6",'
    b'"away:NOANSWER","""Buyer, ""A"""" <+13055550199>"\n'
)
_CEL = (
    b'"HANGUP","1795478778.014364","pbx-1795478777.0","pbx-1795478777.0","PJSIP/carrier-00000000","+13055550199",'
    b'"+13055550101","inbound","","","","{""hangupcause"":0,""hangupsource"":""PJSIP/carrier-00000000""}"\n'
)
_SPOOL = b"1795479151.5 " + b" ".join(map(base64.b64encode, (b"<sip:+13055550199@carrier>", b"sip:100@pbx", b"STOP")))
_AMI_CHANNEL = (
    "Channel: PJSIP/carrier-00000000\r\nChannelState: 4\r\nChannelStateDesc: Ring\r\nCallerIDNum: +13055550199\r\n"
    "CallerIDName: Buyer\r\nContext: inbound\r\nExten: 13055550101\r\nUniqueid: pbx-1.0\r\nLinkedid: pbx-1.0\r\n"
)
_AMI = [
    f"Event: Newchannel\r\n{_AMI_CHANNEL}",
    f"Event: Hangup\r\n{_AMI_CHANNEL}Cause: 16\r\nCause-txt: Normal Clearing\r\n",
    f"Event: UserEvent\r\n{_AMI_CHANNEL}UserEvent: Ringback\r\nWhat: away\r\n",
    f"Event: DialEnd\r\n{_AMI_CHANNEL}"
    + "".join(f"Dest{line}\r\n" for line in _AMI_CHANNEL.split("\r\n")[:-1])
    + "DialStatus: BUSY\r\n",
]
_AMI_LIST = (
    f"Event: Status\r\nActionID: 1\r\n{_AMI_CHANNEL}\r\n"
    "Event: StatusComplete\r\nActionID: 1\r\nEventList: Complete\r\nListItems: 1\r\n\r\n"
)
_RECEIPT = (
    b"id:0123456789 sub:001 dlvrd:001 submit date:2611231405 done date:2611231406 stat:DELIVRD err:000 text:Hello"
)
_NUMBERS = ("+13055550142", "(305) 555-0142", "anonymous", "0044 20 7946 0146", "101", "+1800555014", "sip:+1@x", "")
_NAMES = ('"Ana" <x>', "Buyer\r\nVia: x", "\u202eevil", "O'Brien", "😀")

SAMPLES: dict[str, list[bytes]] = {
    "pdu": [wire.encode(body, 7) for body in BODIES],
    "session": [
        b"\x00" + wire.encode(wire.SubmitSmResp(message_id="a1"), 2) + wire.encode(wire.GenericNack(), 3),
        b"\x05" + wire.encode(wire.DeliverSm(short_message=b"STOP"), 1) + wire.encode(wire.EnquireLink(), 2),
        b"\x10" + wire.encode(wire.Unbind(), 9) + wire.encode(wire.SubmitSmResp(), 3, 0x58),
    ],
    "receipt": [_RECEIPT, b"id:a1 stat:UNDELIV err:1F", b"ID: 9 Stat: EXPIRED done_date: 20261123140501"],
    "sip_message": [
        b"<sip:+13055550123@carrier>\nsip:100@pbx\nSTOP",
        b'"A" <sip:305@x;tag=1>\npjsip:1@y\nHi\r\n',
    ],
    "ari": [orjson.dumps(event) for event in EVENTS],
    "ami": [message.encode() for message in _AMI],
    "ami_stream": [
        b"\x00cut" + b"Asterisk Call Manager/10.0.0\r\n" + "\r\n".join(_AMI).encode() + b"\r\n",
        b"\x01cut" + b"Response: Success\r\nActionID: 1\r\nEventList: start\r\n\r\n" + _AMI_LIST.encode(),
        b"\x02cut" + b"Response: Error\r\nActionID: 1\r\nMessage: Permission denied\r\n\r\n",
        b"\x03cut" + "Event: FullyBooted\r\nCallerIDName: José\r\n\r\nEvent: Shutdown\r\n\r\n".encode(),
        b"\xffcut" + b"Event: FullyBooted\r\nStatus: Fully Booted\r\n\r\n",
    ],
    "cdr": [_CDR, _CDR * 3],
    "cel": [_CEL, _CEL * 3],
    "spool": [_SPOOL + b"\n", (_SPOOL + b"\n") * 3],
    "number": [f"{number}\n{name}".encode() for number in _NUMBERS for name in _NAMES],
    "words": [b"STOP", b"please do not text me", b"S T O P", b"start", "¿No me llame!".encode(), b"don't stop by"],
    "template": [b"{brokerage} (automated): sorry[ {name}] we missed your {time} call[ on {listing}]. [[ {{ STOP"],
    "pattern": [b"_1NXXNXXXXXX", b"_1305555010[2-57]", b"13055550107", b"_9011.", b"_X!", b"_+Z."],
    "settings": [OFFICE.encode()],
}
