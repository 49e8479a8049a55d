"""command_status: names, what the operator can mend, and whether trying again can help. Pure data."""

from __future__ import annotations

from typing import NamedTuple

OK = 0x00
INVALID_LENGTH = 0x02
INVALID_COMMAND = 0x03
WRONG_BIND_STATE = 0x04
ALREADY_BOUND = 0x05
SYSTEM_ERROR = 0x08
QUEUE_FULL = 0x14
THROTTLED = 0x58
INVALID_TLV_STREAM = 0xC0

THROTTLING = frozenset({QUEUE_FULL, THROTTLED})
BIND_FATAL = frozenset({0x0D, 0x0E, 0x0F})  # RBINDFAIL, RINVPASWD, RINVSYSID: rebinding cannot help
# RINVBNDSTS, RSYSERR, RSUBMITFAIL, RX_T_APPN and the throttling two: the same text may be taken later.
_TRANSIENT = frozenset({WRONG_BIND_STATE, SYSTEM_ERROR, 0x45, 0x64}) | THROTTLING


class Meaning(NamedTuple):
    """A status as an operator reads it: its name in the standard and what to do about it."""

    name: str
    mend: str


# SMPP 3.4 section 5.1.3, table 5-2
_MEANINGS = {
    0x00: Meaning("ESME_ROK", "nothing is wrong"),
    0x01: Meaning("ESME_RINVMSGLEN", "the text is too long for this carrier: try another segmentation"),
    0x02: Meaning("ESME_RINVCMDLEN", "the carrier could not read the PDU: ask it which fields it expects"),
    0x03: Meaning("ESME_RINVCMDID", "the carrier does not know this operation"),
    0x04: Meaning("ESME_RINVBNDSTS", "the operation is not allowed on this kind of bind: check transceiver or split"),
    0x05: Meaning("ESME_RALYBND", "another process is bound with this account, or the last one was not cleared yet"),
    0x06: Meaning("ESME_RINVPRTFLG", "the carrier does not accept the priority flag"),
    0x07: Meaning("ESME_RINVREGDLVFLG", "the carrier does not accept registered_delivery: try 0"),
    0x08: Meaning("ESME_RSYSERR", "the carrier has trouble of its own: try again later"),
    0x0A: Meaning("ESME_RINVSRCADR", "the sender is not allowed or wrongly typed: check the source, its TON and NPI"),
    0x0B: Meaning("ESME_RINVDSTADR", "the destination does not exist or is wrongly typed: check it, its TON and NPI"),
    0x0C: Meaning("ESME_RINVMSGID", "the carrier does not know this message id"),
    0x0D: Meaning("ESME_RBINDFAIL", "the carrier refuses the bind: check the account, its address and the bind type"),
    0x0E: Meaning("ESME_RINVPASWD", "the password is wrong"),
    0x0F: Meaning("ESME_RINVSYSID", "the system id is wrong"),
    0x11: Meaning("ESME_RCANCELFAIL", "the message could not be cancelled"),
    0x13: Meaning("ESME_RREPLACEFAIL", "the message could not be replaced"),
    0x14: Meaning("ESME_RMSGQFUL", "the carrier's queue is full: send more slowly"),
    0x15: Meaning("ESME_RINVSERTYP", "the service type is wrong: ask the carrier"),
    0x33: Meaning("ESME_RINVNUMDESTS", "the number of destinations is wrong"),
    0x34: Meaning("ESME_RINVDLNAME", "the distribution list is unknown"),
    0x40: Meaning("ESME_RINVDESTFLAG", "the destination flag is wrong"),
    0x42: Meaning("ESME_RINVSUBREP", "the carrier does not replace messages"),
    0x43: Meaning("ESME_RINVESMCLASS", "the carrier does not accept esm_class: try another segmentation"),
    0x44: Meaning("ESME_RCNTSUBDL", "the distribution list cannot be used"),
    0x45: Meaning("ESME_RSUBMITFAIL", "the carrier could not take the text: try again later"),
    0x48: Meaning("ESME_RINVSRCTON", "the source TON is wrong"),
    0x49: Meaning("ESME_RINVSRCNPI", "the source NPI is wrong"),
    0x50: Meaning("ESME_RINVDSTTON", "the destination TON is wrong"),
    0x51: Meaning("ESME_RINVDSTNPI", "the destination NPI is wrong"),
    0x53: Meaning("ESME_RINVSYSTYP", "the system type is wrong: ask the carrier"),
    0x54: Meaning("ESME_RINVREPFLAG", "the replace flag is wrong"),
    0x55: Meaning("ESME_RINVNUMMSGS", "the number of messages is wrong"),
    0x58: Meaning("ESME_RTHROTTLED", "we send faster than the carrier allows: lower the rate"),
    0x61: Meaning("ESME_RINVSCHED", "the scheduled time is wrong"),
    0x62: Meaning("ESME_RINVEXPIRY", "the carrier does not accept the validity: shorten it or leave it out"),
    0x63: Meaning("ESME_RINVDFTMSGID", "the predefined message does not exist"),
    0x64: Meaning("ESME_RX_T_APPN", "the carrier cannot take the text for now: try again later"),
    0x65: Meaning("ESME_RX_P_APPN", "the carrier will not take the text"),
    0x66: Meaning("ESME_RX_R_APPN", "the carrier rejects the text"),
    0x67: Meaning("ESME_RQUERYFAIL", "the carrier could not answer the query"),
    0xC0: Meaning("ESME_RINVOPTPARSTREAM", "the optional parameters are damaged"),
    0xC1: Meaning("ESME_ROPTPARNOTALLWD", "the carrier does not allow an optional parameter: try another segmentation"),
    0xC2: Meaning("ESME_RINVPARLEN", "a parameter has a wrong length"),
    0xC3: Meaning("ESME_RMISSINGOPTPARAM", "the carrier misses an optional parameter"),
    0xC4: Meaning("ESME_RINVOPTPARAMVAL", "an optional parameter has a wrong value"),
    0xFE: Meaning("ESME_RDELIVERYFAILURE", "delivery failed"),
    0xFF: Meaning("ESME_RUNKNOWNERR", "the carrier names no reason"),
}


def meaning(status: int) -> Meaning:
    """What ``status`` says; carriers' own codes (0x400 and above, and the reserved ones) are named by their number."""
    return _MEANINGS.get(status) or Meaning(
        f"status_0x{status:08X}", "this code is the carrier's own: look it up in its manual"
    )


def permanent(status: int) -> bool:
    """Whether the same text would be refused again. Unknown codes count as permanent: better one call to the carrier
    than a storm of retries."""
    return status not in _TRANSIENT
