"""What the tests of this room share."""

from __future__ import annotations

from tests.support.asterisk import asterisk, shared_pbx

__all__ = ["asterisk", "shared_pbx"]
