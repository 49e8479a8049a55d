"""Addresses that are taken, found before Asterisk starts without them."""

from __future__ import annotations

import os
import socket

import pytest

from ari_app.pbx.errors import AsteriskFailedError, PortInUseError
from ari_app.pbx.listeners import check_free
from ari_app.settings.pbx import Listener, Pbx
from tests.support.ports import free_port


def _pbx(**listeners: Listener) -> Pbx:
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


def test_an_address_of_another_machine_is_no_address_to_listen_on() -> None:
    with pytest.raises(AsteriskFailedError, match=r"cannot listen on 192\.0\.2\.77"):
        check_free(_pbx(http=Listener(host="192.0.2.77", port=8088)))
