"""The whole document: every section, as the YAML holds it."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from ari_app.settings.backups import BackupSection
from ari_app.settings.brokerage import AgentSection, Brokerage, GroupSection, OfficeSection, Schedule
from ari_app.settings.calling import CadenceSection, CallbackSection, PromptSection, VoiceSection
from ari_app.settings.delivery import CrmSection, EmailSection, LogSection, WebSection
from ari_app.settings.numbers import DialPattern, NumberSection
from ari_app.settings.pbx import Name, Telephony
from ari_app.settings.plans import PlanSection, Templates
from ari_app.settings.texts import GatewaySection, LimitsSection, QuietSection, TextRouteSection, TextsSection


class Document(Telephony):
    """``ringback.yaml`` and all that it includes."""

    version: Literal[1]
    data: Path = Path("var")
    """Folder of the database, generated secrets, recordings and the PBX; relative to this file."""

    brokerage: Brokerage
    offices: dict[Name, OfficeSection] = Field(min_length=1)
    hours: dict[Name, Schedule] = Field(min_length=1)
    agents: dict[Name, AgentSection] = Field(default_factory=dict)
    groups: dict[Name, GroupSection] = Field(default_factory=dict)

    number_defaults: NumberSection = NumberSection()
    numbers: dict[DialPattern, NumberSection] = Field(min_length=1)
    blocked: tuple[DialPattern, ...] = ()
    """Callers who are recorded and never contacted."""

    plans: dict[Name, PlanSection] = Field(min_length=1)
    templates: Templates = Templates()

    cadence: CadenceSection = CadenceSection()
    prompt: PromptSection = PromptSection()
    callback: CallbackSection = CallbackSection()
    voice: VoiceSection = VoiceSection()

    texts: TextsSection = TextsSection()
    gateways: dict[Name, GatewaySection] = Field(default_factory=dict)
    text_routes: tuple[TextRouteSection, ...] = ()
    quiet_hours: QuietSection = QuietSection()
    limits: LimitsSection = LimitsSection()

    email: EmailSection | None = None
    crm: dict[Name, CrmSection] = Field(default_factory=dict)
    backup: BackupSection = BackupSection()
    web: WebSection = WebSection()
    log: LogSection = LogSection()
