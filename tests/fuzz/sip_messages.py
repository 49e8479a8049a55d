"""SIP as nobody should write it: the ideas of RFC 4475 and RFC 5118 in messages of our own, garbage, and scanners."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping

SDP = (
    "v=0\r\no=- 1 1 IN IP4 127.0.0.7\r\ns=-\r\nc=IN IP4 127.0.0.7\r\nt=0 0\r\nm=audio 40000 RTP/AVP 0\r\n"
    "a=rtpmap:0 PCMU/8000\r\n"
)
SCANNERS = tuple(
    f"{name}/{version}"
    for name in (
        *("friendly-scanner", "sipvicious", "sipcli", "VaxSIPUserAgent", "pplsip", "sip-scan", "sundayddr", "iWar"),
        *(
            "SIPptx",
            "smap",
            "eyeBeam",
            "Asterisk PBX",
            "Zoiper",
            "MizuPhone",
            "X-Lite",
            "Linphone",
            "PolycomSoundPoint",
        ),
        *("Cisco-SIPGateway", "Grandstream HT", "Yealink SIP-T4"),
    )
    for version in ("", "0.1", "1.0", "2.2", "v6")
)
"""User agents: tools of that trade, and phones that such tools pretend to be."""


class Writer:
    """Writes messages from ``source`` (``host:port``) to ``target``, each a dialog of its own."""

    def __init__(self, source: str, target: str, dialled: str) -> None:
        self._source = source
        self._target = target
        self._dialled = dialled
        self._count = 0

    def request(
        self,
        method: str = "INVITE",
        *,
        line: str | None = None,
        body: str = SDP,
        length: str | None = None,
        extra: str = "",
        without: tuple[str, ...] = (),
        values: Mapping[str, str] | None = None,
        **headers: str,
    ) -> bytes:
        """A request that is well-formed but for what is asked for. values: of headers, instead of ours; so are headers,
        with ``_`` for ``-``."""
        self._count += 1
        n = self._count
        chosen = {
            "Via": f"SIP/2.0/UDP {self._source};branch=z9hG4bK-{n};rport",
            "Max-Forwards": "70",
            "From": f'"x" <sip:+13055550666@{self._source}>;tag=t{n}',
            "To": f"<sip:{self._dialled}@{self._target}>",
            "Call-ID": f"torture-{n}@{self._source}",
            "CSeq": f"{n} {method}",
            "Contact": f"<sip:x@{self._source}>",
        } | {name.replace("_", "-"): value for name, value in headers.items()}
        chosen |= values or {}
        if body:
            chosen.setdefault("Content-Type", "application/sdp")
        chosen["Content-Length"] = str(len(body.encode())) if length is None else length
        lines = [line or f"{method} sip:{self._dialled}@{self._target} SIP/2.0"]
        lines += [f"{name}: {value}" for name, value in chosen.items() if name not in without]
        return ("\r\n".join(lines) + f"\r\n{extra}\r\n" + body).encode("utf-8", "surrogateescape")

    def torture(self) -> Iterator[tuple[str, bytes]]:
        """What it is, and the message."""
        yield from self._valid_and_odd()
        yield from self._broken_lines()
        yield from self._broken_headers()
        yield from self._broken_bodies()
        yield from self._out_of_the_blue()

    def _valid_and_odd(self) -> Iterator[tuple[str, bytes]]:
        to = f"sip:{self._dialled}@{self._target}"
        yield (
            "folded and compact",
            self.request(
                without=("To", "From", "Call-ID"),
                extra=f"t :\t<{to}>\r\nf:  \r\n  <sip:a@b>\r\n\t;tag=1\r\ni: fold-{self._count}@x\r\n"
                "UNKNOWN-header  :  ;;,,;;,;\r\n",
            ),
        )
        yield "a method nobody knows", self.request("!interesting-Method0123456789_*+`.%indeed'~")
        yield "escapes in the user", self.request(From="<sip:%61%00%0d%0aVia%3a%20x@h>;tag=e")
        yield "a display name of quotes", self.request(From='"\\"\\\\\x7f\u202e\u263a" <sip:q@h>;tag=q')
        yield (
            "a hundred Vias",
            self.request(extra="".join(f"Via: SIP/2.0/UDP h{n};branch=z9hG4bK{n}\r\n" for n in range(100))),
        )
        yield "IPv6 without brackets", self.request(Via="SIP/2.0/UDP 2001:db8::9:1;branch=z9hG4bKv6")
        yield "IPv6 received", self.request(Via="SIP/2.0/UDP [2001:db8::9:255];received=[2001:db8::1];branch=z9hG4bKv7")
        yield "semicolons in the user", self.request(line=f"INVITE sip:{self._dialled};x=%40;y@{self._target} SIP/2.0")
        yield (
            "a long everything",
            self.request(
                From=f'"{"n" * 3000}" <sip:{"u" * 3000}@{"h" * 250}.example>;tag={"t" * 3000}', Subject="s" * 6000
            ),
        )

    def _broken_lines(self) -> Iterator[tuple[str, bytes]]:
        to = f"sip:{self._dialled}@{self._target}"
        yield "spaces in the request line", self.request(line=f"INVITE  {to}  SIP/2.0 ")
        yield "spaces in the URI", self.request(line=f"INVITE sip:{self._dialled} @{self._target}; lr SIP/2.0")
        yield "brackets around the URI", self.request(line=f"INVITE <{to}> SIP/2.0")
        yield "another version", self.request(line=f"INVITE {to} SIP/7.0")
        yield "no version", self.request(line=f"INVITE {to}")
        yield "an unknown scheme", self.request(line="INVITE nobodyKnowsThisScheme:totallyopaquecontent SIP/2.0")
        yield "a tel URI of letters", self.request(line="INVITE tel:+1-CALL-ME SIP/2.0")
        yield "headers in the URI", self.request(line=f"INVITE {to}?Route=%3Csip:x%3E&Body=x SIP/2.0")
        yield "an empty URI", self.request(line="INVITE  SIP/2.0")

    def _broken_headers(self) -> Iterator[tuple[str, bytes]]:
        for name in ("Via", "From", "To", "Call-ID", "CSeq", "Max-Forwards", "Contact"):
            yield f"no {name}", self.request(without=(name,))
            yield f"an empty {name}", self.request(values={name: ""})
            yield f"two of {name}", self.request(extra=f"{name}: again\r\n")
        yield "a number beyond 32 bits", self.request(CSeq="36893488147419103232 INVITE", Expires="1" + "0" * 60)
        yield "a negative number", self.request(CSeq="-1 INVITE", Max_Forwards="-1")
        yield "another method in CSeq", self.request(CSeq="9 OPTIONS")
        yield "too many hops", self.request(Max_Forwards="300")
        yield "no hop left", self.request(Max_Forwards="0")
        yield "an unterminated quote", self.request(From='"Mr. J. User <sip:j.user@example.com>;tag=1')
        yield "nothing between separators", self.request(From="<sip:u@h>;;,;,;tag=;", Contact='"", , ;;;<>;;')
        yield "a date of nowhere", self.request(Date="Fri, 32 Jan 2010 25:61:61 EST")
        yield (
            "what only proxies write",
            self.request(extra="Proxy-Require: nothingSupports, ThisOne\r\nRequire: both\r\n"),
        )
        yield "credentials of nobody", self.request(extra='Authorization: NoOneKnowsThis opaque="x"\r\n')
        yield (
            "a format as a value",
            self.request(From='"%s%n%x" <sip:%25s@h>;tag=f', Call_ID="%n%n%n%s", User_Agent="${jndi:x}"),
        )
        yield "a shell as a value", self.request(From='"$(reboot)`id`" <sip:;rm@h>;tag=s')
        yield "octets that are no UTF-8", self.request(From='"\udcc3(\udcff" <sip:b@h>;tag=b')
        yield "NULs", self.request(From='"a\0b" <sip:c\0d@h>;tag=n')

    def _broken_bodies(self) -> Iterator[tuple[str, bytes]]:
        yield "less than it says", self.request(length="9999")
        yield "more than it says", self.request(length="10")
        yield "a negative length", self.request(length="-999")
        yield "a length of letters", self.request(length="many")
        yield "no session in the description", self.request(body="v=0\r\nm=audio\r\n")
        yield "ports beyond all", self.request(body=SDP.replace("40000", "99999999999"))
        yield "a thousand codecs", self.request(body=SDP + "".join(f"a=rtpmap:{n} x/8000\r\n" for n in range(1000)))
        yield "a body in no language", self.request(body="\x00\x01\x02<<", Content_Type="application/unknown")
        yield "parts without end", self.request(body="--x\r\n\r\n--x", Content_Type='multipart/mixed;boundary="y"')
        yield "a text of a stranger", self.request("MESSAGE", body="STOP", Content_Type="text/plain")

    def _out_of_the_blue(self) -> Iterator[tuple[str, bytes]]:
        yield "an answer to nothing", self.request(line="SIP/2.0 200 OK", CSeq="1 INVITE")
        yield "an answer of a huge status", self.request(line="SIP/2.0 4294967301 better not break the receiver")
        yield "an answer without a reason", self.request(line="SIP/2.0 100", body="")
        for method in ("ACK", "BYE", "CANCEL", "PRACK", "UPDATE", "INFO", "REFER", "NOTIFY", "SUBSCRIBE", "PUBLISH"):
            yield (
                f"{method} of no dialog",
                self.request(method, body="", Refer_To="<sip:+19005550100@x>", Event="refer"),
            )
        yield "a registration of everything", self.request("REGISTER", body="", Contact="*", Expires="0")
        yield "a registration elsewhere", self.request("REGISTER", body="", Contact="<nobody:x>, <sip:[::1]:99999>")

    def scan(self, agent: str, number: str) -> Iterator[bytes]:
        """What one scanner sends to try an extension."""
        user = f'"{number}" <sip:{number}@{self._target}>;tag=scan'
        to = f"<sip:{number}@{self._target}>"
        yield self.request("OPTIONS", body="", User_Agent=agent, From=user, To=to)
        yield self.request("REGISTER", body="", User_Agent=agent, From=user, To=to)
        digest = (
            f'Digest username="{number}",realm="asterisk",nonce="1/2",uri="sip:x",response="{"0" * 32}",algorithm=MD5'
        )
        yield self.request("REGISTER", body="", User_Agent=agent, From=user, To=to, Authorization=digest)
        yield self.request(User_Agent=agent, From=user, line=f"INVITE sip:9011442079460{number}@{self._target} SIP/2.0")
        yield self.request(User_Agent=agent, From=user)


def noise() -> Iterator[bytes]:
    """Datagrams that are no SIP at all."""
    rng = random.Random(0)
    yield from (b"", b"\0", b"\r\n", b"\r\n\r\n\r\n\r\n", b"\xff" * 1400, b"\0" * 60_000, b"SIP/2.0", b"INVITE")
    yield b"A" * 60_000
    yield bytes([0x80, 0]) + rng.randbytes(170)  # RTP
    for _ in range(60):
        yield rng.randbytes(rng.randint(1, 1500))


def torsos(whole: bytes) -> Iterator[bytes]:
    """Beginnings of a message that never say how it goes on."""
    for end in range(1, whole.index(b"\r\n\r\n"), 23):
        yield whole[:end]


def wounded(whole: bytes) -> Iterator[bytes]:
    """A message with up to six wrong octets."""
    rng = random.Random(0)
    for _ in range(60):
        data = bytearray(whole)
        for _ in range(rng.randint(1, 6)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        yield bytes(data)
