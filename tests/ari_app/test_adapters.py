"""The lanes as the program builds them."""

from __future__ import annotations

from pathlib import Path

from ari_app.adapters import lanes
from ari_app.recovery.effects import AlertAgent
from ari_app.recovery.values import AlertReason
from ari_app.runtime.dispatcher import Dispatcher
from tests.ari_app.runtime.world import Core, play


def test_texts_that_wait_when_the_last_gateway_is_taken_out_of_the_settings_fail_and_a_person_is_told(
    tmp_path: Path,
) -> None:
    async def main() -> None:
        core = Core(tmp_path)
        built = lanes(core.books.settings, core.clock, core.recorder, {}, {}, None)
        texts = [lane for lane in built if lane.kind == "text"]
        core.dispatcher = Dispatcher(core.store, core.recorder, core.clock, texts)
        async with core.running():
            await core.books.miss()
            await core.pass_time(60)
        [order] = await core.books.orders("text")
        assert (order.status, order.attempts) == ("failed", 1)
        assert "no gateway 'sms'" in (order.last_error or "")
        alerts = [order.effect for order in await core.books.orders("alert")]
        assert [alert.reason for alert in alerts if isinstance(alert, AlertAgent)] == [AlertReason.TEXT_FAILED]

    play(main)
