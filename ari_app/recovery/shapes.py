"""What stored values have gained since the first release: a release refuses fields that it does not know.

An added field has a default, which stands for how it was before, and is written only where it is something else: a value that
does not use it is one that the older release could have written. ``ringback downgrade`` removes what was used
(``ari_app/store/schema.py``). A test holds this list and the first release's shapes against the types.
"""

from __future__ import annotations

ADDED: dict[str, dict[str, tuple[str, ...]]] = {
    "0002_answers": {
        "Facts": ("reached_since",),
    },
    "0004_shapes": {
        "CallAnswered": ("elsewhere",),
        "CallClosed": ("elsewhere",),
        "Facts": ("contact_closes", "contacts_same", "noes_lost", "text_window_holder"),
        "Lead": ("lifted_call", "lifted_at"),
    },
    "0005_alerts": {
        "AlertAgent": ("again",),
        "EffectSettled": ("alert",),
    },
}
"""Fields by type, by the change of the books (the migration) that they came with or before. New ones go to the newest change
that is not released, or to one of their own."""


def added_to(kind: str) -> frozenset[str]:
    """The fields that a type has gained, by its name."""
    return frozenset(name for types in ADDED.values() for name in types.get(kind, ()))
