"""Addresses that are taken, found before Asterisk starts without them."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator

import pytest

from ari_app.pbx.errors import AsteriskFailedError, PortInUseError
from ari_app.pbx.listeners import check_free
from ari_app.settings.pbx import Listener, Pbx, RtpRange
from tests.support.ports import free_port


def _pbx(**listeners: Listener | RtpRange) -> Pbx:
    free = {"http": free_port(), "ami": free_port(), "sip": free_port(socket.SOCK_DGRAM)}
    return Pbx.model_validate({**{name: Listener(port=port) for name, port in free.items()}, **listeners})


def test_free_addresses_pass() -> None:
    check_free(_pbx())


@pytest.mark.parametrize(
    ("name", "kind"), [("http", socket.SOCK_STREAM), ("ami", socket.SOCK_STREAM), ("sip", socket.SOCK_DGRAM)]
)
def test_a_taken_address_is_named_with_its_purpose_and_its_holder(name: str, kind: socket.SocketKind) -> None:
    with socket.socket(socket.AF_INET, kind) as taken:
        taken.bind(("127.0.0.1", 0))
        if kind is socket.SOCK_STREAM:
            taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(PortInUseError) as caught:
            check_free(_pbx(**{name: Listener(port=port)}))
    assert f"pbx.{name}" in str(caught.value)
    assert f"127.0.0.1:{port}" in str(caught.value)
    assert f"(pid {os.getpid()})" in str(caught.value)


@contextlib.contextmanager
def taken_audio(count: int) -> Iterator[RtpRange]:
    """A range of two pairs of ports, of which ``count`` are taken."""
    with contextlib.ExitStack() as stack:
        first = free_port(socket.SOCK_DGRAM) // 2 * 2
        for port in range(first, first + 2 * count, 2):
            stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)).bind(("0.0.0.0", port))
        yield RtpRange(first=first, last=first + 3)


def test_audio_needs_one_pair_of_its_ports_as_asterisk_passes_over_those_that_are_taken() -> None:
    with taken_audio(1) as ports:
        check_free(_pbx(rtp=ports))


def test_a_range_for_audio_that_is_taken_to_its_end_is_named_with_its_holder() -> None:
    with taken_audio(2) as ports, pytest.raises(PortInUseError) as caught:
        check_free(_pbx(rtp=ports))
    assert "audio (pbx.rtp)" in str(caught.value)
    assert f"0.0.0.0:{ports.first}" in str(caught.value)
    assert f"(pid {os.getpid()})" in str(caught.value)


def test_an_address_of_another_machine_is_no_address_to_listen_on() -> None:
    with pytest.raises(AsteriskFailedError, match=r"cannot listen on 192\.0\.2\.77"):
        check_free(_pbx(http=Listener(host="192.0.2.77", port=8088)))
