"""The mail server and the CRM of a simulated brokerage: at times they are down, or take a thing and lose their answer."""

from __future__ import annotations

from email.message import EmailMessage

import aiosmtplib

from ari_app.notify.email import Mailer, MailServer
from ari_app.recovery.effects import LeadRecord
from ari_app.recovery.values import EffectId
from ari_app.runtime.dispatcher import retry_wait
from ari_app.runtime.outcome import Done, Outcome, RetryAt
from tests.simulation.office import families
from tests.simulation.universe import Universe


class PostOffice(Mailer):
    """The mail server. kept: Message-IDs of what it took."""

    def __init__(self, universe: Universe) -> None:
        options = families()[0][0].settings.document.email
        assert options is not None
        super().__init__(MailServer(options, None, None, "simulated"))
        self._universe = universe
        self.kept: set[str] = set()

    async def send(self, message: EmailMessage) -> list[str]:
        universe = self._universe
        await universe.sleep(universe.rng.uniform(0.01, 0.5))
        fault = universe.rng.randrange(3) if universe.chance(universe.weather.target_faults) else None
        if fault == 0:
            raise aiosmtplib.SMTPServerDisconnected("the connection was lost")
        if fault == 1:
            raise aiosmtplib.SMTPResponseException(451, "try again later")
        self.kept.add(str(message["Message-ID"]).removeprefix("<").rpartition(".simulated@")[0])
        if fault == 2:
            raise aiosmtplib.SMTPServerDisconnected("the connection was lost after the end of data")
        return []  # nobody whom it refused


class Ledger:
    """The CRM. Implements Crm. kept: the pushes that it took, in the order in which it first saw them, by lead."""

    def __init__(self, universe: Universe) -> None:
        self._universe = universe
        self.kept: dict[int, list[EffectId]] = {}

    async def push(self, push_id: EffectId, record: LeadRecord, attempts: int) -> Outcome:
        universe = self._universe
        await universe.sleep(universe.rng.uniform(0.01, 0.5))
        fault = universe.rng.randrange(3) if universe.chance(universe.weather.target_faults) else None
        again = universe.clock.now() + retry_wait(attempts)
        if fault == 0:
            return RetryAt(again, "HTTP 503")
        if fault == 1:
            await universe.sleep(100.0)  # longer than the lane waits
        known = self.kept.setdefault(record.lead_id, [])
        if push_id not in known:
            known.append(push_id)
        if fault == 2:
            return RetryAt(again, "the answer was lost")
        return Done(str(push_id))

    async def close(self) -> None:
        """Nothing is held open."""
