"""Which failures are told in a sentence. Anything else is a defect and keeps its traceback."""

from __future__ import annotations

import errno

from ari_app.errors import RingbackError
from ari_app.pbx.errors import PbxError
from ari_app.settings.model import SecretUnavailableError
from voice_agent.errors import EngineError

_TOLD = (RingbackError, PbxError, SecretUnavailableError, EngineError, OSError)


def sentences(error: Exception) -> list[str] | None:
    """What to tell a person, each thing once; None for a defect, and for a reader of our output who has left."""
    leaves = _leaves(error)
    if not all(isinstance(leaf, _TOLD) for leaf in leaves):
        return None
    if any(isinstance(leaf, OSError) and leaf.errno == errno.EPIPE for leaf in leaves):
        return None
    return list(dict.fromkeys(str(leaf) for leaf in leaves))


def _leaves(error: BaseException) -> list[BaseException]:
    """What tasks that ran together have raised, one by one."""
    if isinstance(error, BaseExceptionGroup):
        return [leaf for inner in error.exceptions for leaf in _leaves(inner)]
    return [error]
