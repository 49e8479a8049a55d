"""SMS gateways as the settings declare them."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Mapping
from zoneinfo import ZoneInfo

from ari_app.clock import Clock
from ari_app.errors import RingbackError
from ari_app.notify.parts import StoredParts
from ari_app.settings.loading import Settings
from ari_app.settings.pbx import Pbx, Trunk, uri_host
from ari_app.settings.texts import Redeliver, SipGateway, SmppGateway
from ari_app.store.stores import Store
from sms_gateway import encoding, receipts
from sms_gateway.gateway import Gateway
from sms_gateway.messages import InboundText, Receipt
from sms_gateway.sip import SipMessenger, SipOptions, SipTextGateway
from sms_gateway.smpp import options as smpp
from sms_gateway.smpp.client import SmppGateway as SmppClient
from sms_gateway.smpp.status import QUEUE_FULL, SYSTEM_ERROR

LISTEN_SECONDS = 0.3
"""What a carrier has kept for us comes at once after the bind."""

_REDELIVER = {Redeliver.SYSTEM_ERROR: SYSTEM_ERROR, Redeliver.QUEUE_FULL: QUEUE_FULL}

Take = Callable[[str, InboundText | Receipt], Awaitable[None]]
"""Stores what a gateway, by name, has received."""


class GatewayOptionsError(RingbackError, ValueError):
    """An account that SMPP does not allow, such as a password of more than eight characters."""


def build_gateways(
    settings: Settings, clock: Clock, messenger: SipMessenger, take: Take, store: Store
) -> dict[str, Gateway]:
    """All gateways, not yet running. Raises SecretUnavailableError, GatewayOptionsError, and OSError for TLS files."""
    document = settings.document
    built: dict[str, Gateway] = {}
    jitter = random.SystemRandom()
    for name, section in document.gateways.items():
        if isinstance(section, SmppGateway):
            try:
                options = link_options(section, settings)
            except ValueError as error:
                raise GatewayOptionsError(f"gateways.{name}: {error}") from error
            built[name] = SmppClient(
                options,
                _taker(name, take),
                wall=clock.now,
                random=jitter.random,
                name=name,
                parts=StoredParts(name, store),
            )
        else:
            sip = sip_options(section, document.trunks, document.pbx)
            built[name] = SipTextGateway(sip, messenger, name=name)
    return built


def fixed_senders(settings: Settings) -> dict[str, str]:
    """Gateways that send under one sender, whatever number was dialled."""
    sections = settings.document.gateways.items()
    return {
        name: section.sender
        for name, section in sections
        if isinstance(section, SmppGateway) and section.sender is not None
    }


def link_options(section: SmppGateway, settings: Settings) -> smpp.LinkOptions:
    """The account as sms_gateway wants it. Raises SecretUnavailableError, and ValueError for what SMPP does not allow."""
    tls = None
    if section.tls is not None:
        files = (section.tls.ca_file, section.tls.client_certificate, section.tls.client_key)
        ca_file, certificate, key = (None if path is None else str(settings.base / path) for path in files)
        tls = smpp.TlsOptions(
            ca_file=ca_file, server_name=section.tls.server_name, certificate_file=certificate, key_file=key
        )
    return smpp.LinkOptions(
        host=section.host,
        port=section.port,
        system_id=section.system_id,
        password=section.password.read(settings.base),
        long_password=section.long_password,
        system_type=section.system_type,
        address_range=section.address_range,
        bind=smpp.BindMode(section.bind.value),
        tls=tls,
        window=section.window,
        response_seconds=section.response,
        enquire_seconds=section.enquire,
        rate_per_second=section.per_second,
        listen_seconds=LISTEN_SECONDS,
        default_alphabet=encoding.Alphabet(section.alphabet.value),
        data_coding_default=section.data_coding_default,
        ia5_alphabet=encoding.Alphabet(section.ia5_alphabet.value),
        segmentation=smpp.Segmentation(section.segmentation.value),
        max_segments=section.max_segments,
        source_ton=section.source_ton,
        source_npi=section.source_npi,
        destination_ton=section.destination_ton,
        destination_npi=section.destination_npi,
        keep_plus=section.keep_plus,
        registered_delivery=section.registered_delivery,
        receipt_id_base=receipts.IdBase(section.receipt_ids.value),
        receipt_zone=ZoneInfo(section.receipt_time_zone),
        receipts_by_text=section.receipts_by_text,
        redeliver_status=_REDELIVER[section.redeliver],
        send_user_reference=section.user_reference,
    )


def sip_options(section: SipGateway, trunks: Mapping[str, Trunk], pbx: Pbx) -> SipOptions:
    """How texts are addressed on a trunk. Behind NAT they come from the outer address; otherwise Asterisk, which knows the
    way to the carrier, puts its own behind the number."""
    trunk = trunks[section.trunk]
    outer = pbx.external_address
    return SipOptions(
        to_template=f"pjsip:{section.trunk}/sip:{{number}}@{uri_host(trunk.host)}:{trunk.port}",
        from_template="{number}" if outer is None else f"sip:{{number}}@{uri_host(outer)}",
        international_prefix=trunk.international_prefix,
        max_body_octets=section.longest,
    )


def _taker(name: str, take: Take) -> Callable[[InboundText | Receipt], Awaitable[None]]:
    return lambda message: take(name, message)
