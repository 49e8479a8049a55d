"""What a caller who is missed may be promised: asked of the rules that will decide, with the facts as they stand."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from ari_app.calls.state import CallSetup
from ari_app.recovery.gate import Allow, Refuse, may_call_back, may_text_back
from ari_app.recovery.policy import CallbackConsent, Policy
from ari_app.runtime.facts import look_up
from ari_app.store.db import Database


@dataclass(frozen=True, slots=True)
class Promises:
    """text: one will go, at once or after the quiet hours. call: whoever presses 1 now is called."""

    text: bool
    call: bool

    def notice(self, policy: Policy, *, own_words: bool) -> bool:
        """Whether the notice would be true. Ours promises both; a brokerage that has switched callbacks off may say so in
        its own words, and promises the text alone."""
        text_alone = own_words and policy.callback.consent is CallbackConsent.NEVER
        return self.text and (self.call or text_alone)


NOTHING = Promises(text=False, call=False)


def promises(db: Database, policy: Policy, setup: CallSetup, at: datetime) -> Promises:
    """To the caller of ``setup``, if the call were missed at ``at``."""
    if setup.caller is None or setup.entry is None:
        return NOTHING
    entry = setup.entry
    facts = look_up(
        db, policy, at, number=setup.caller, kind=setup.kind, office=entry.office, group=entry.group, missed=(at, at)
    )
    if facts.books_lost_until is not None:
        return NOTHING
    return Promises(
        text=not isinstance(may_text_back(facts, policy, at), Refuse),
        call=isinstance(may_call_back(facts, policy, at, notice_heard=True, pressed_one_at=at), Allow),
    )
