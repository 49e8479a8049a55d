"""Which of Asterisk's modules a call through Ringback needs, and why. Everything else stays on the disk."""

from __future__ import annotations

from dataclasses import dataclass

from ari_app.pbx.errors import AsteriskMissingError
from ari_app.pbx.host import AsteriskHost


@dataclass(frozen=True, slots=True)
class ModuleGroup:
    """Modules with one purpose. ``required``: without any one of them Asterisk is of no use to us."""

    purpose: str
    names: tuple[str, ...]
    required: bool = True


GROUPS = (
    ModuleGroup(
        "The bus, timing and the configuration's back end",
        (
            "res_timing_timerfd",
            "res_sorcery_config",
            "res_sorcery_memory",
            "res_sorcery_astdb",
        ),
    ),
    ModuleGroup(
        "SIP",
        (
            "res_pjproject",
            "res_pjsip",
            "res_pjsip_session",
            "chan_pjsip",
            "res_pjsip_sdp_rtp",
            "res_rtp_asterisk",
            "res_pjsip_endpoint_identifier_ip",
            "res_pjsip_endpoint_identifier_user",
            "res_pjsip_authenticator_digest",
            "res_pjsip_outbound_authenticator_digest",
            "res_pjsip_outbound_registration",
            "res_pjsip_registrar",
            "res_pjsip_caller_id",
            "res_pjsip_nat",
            "res_pjsip_dtmf_info",
            "res_pjsip_rfc3326",
            "res_pjsip_diversion",
            "res_pjsip_dlg_options",
            "res_pjsip_messaging",
            "res_pjsip_header_funcs",
            "res_pjsip_acl",
            "res_pjsip_logger",
        ),
    ),
    ModuleGroup("Transfers by desk phones (chan_pjsip links to pubsub)", ("res_pjsip_pubsub", "res_pjsip_refer")),
    ModuleGroup(
        "ARI",
        (
            "res_http_websocket",
            "res_stasis",
            "app_stasis",
            "res_stasis_answer",
            "res_stasis_playback",
            "res_stasis_recording",
            "res_stasis_snoop",
            "res_ari",
            "res_ari_model",
            "res_ari_applications",
            "res_ari_asterisk",
            "res_ari_bridges",
            "res_ari_channels",
            "res_ari_endpoints",
            "res_ari_events",
            "res_ari_playbacks",
            "res_ari_recordings",
        ),
    ),
    ModuleGroup(
        "Media to and from the assistant: RTP everywhere, WebSocket where Asterisk has it",
        ("res_rtp_multicast", "chan_rtp"),
    ),
    ModuleGroup("", ("res_websocket_client", "chan_websocket"), required=False),
    ModuleGroup(
        "Bridges, codecs and file formats",
        (
            "bridge_simple",
            "bridge_softmix",
            "bridge_native_rtp",
            "chan_bridge_media",
            "codec_ulaw",
            "codec_alaw",
            "codec_a_mu",
            "codec_resample",
            "format_pcm",
            "format_wav",
            "format_sln",
        ),
    ),
    ModuleGroup("", ("codec_g722", "codec_gsm", "format_gsm"), required=False),
    ModuleGroup(
        "The dialplan, and what it does when Ringback is away",
        (
            "pbx_config",
            "app_dial",
            "app_playback",
            "func_callerid",
            "func_channel",
            "func_cdr",
            "func_strings",
            "func_logic",
            "func_env",
            "func_base64",
        ),
    ),
    ModuleGroup("", ("app_voicemail",), required=False),
    ModuleGroup("An echo to try audio with: `Local/echo@self-test`", ("app_echo",)),
    ModuleGroup("The ledgers and the security log", ("cdr_custom", "cel_custom", "res_security_log")),
    ModuleGroup("", ("res_cdrel_custom",), required=False),
)


def module_list(host: AsteriskHost) -> list[ModuleGroup]:
    """The groups as this Asterisk has them. Raises AsteriskMissingError that names the required ones that it lacks."""
    lacking = [name for group in GROUPS if group.required for name in group.names if not host.has_module(name)]
    if lacking:
        raise AsteriskMissingError(f"the Asterisk in {host.modules} lacks modules: {' '.join(lacking)}")
    groups = []
    for group in GROUPS:
        names = tuple(name for name in group.names if host.has_module(name))
        if names:
            groups.append(ModuleGroup(group.purpose, names, group.required))
    return groups
