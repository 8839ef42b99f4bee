"""Pauses between tries."""

from __future__ import annotations

from otel_taskflow.export.pacing import Pacing


def test_pauses_double_from_one_second_to_a_minute() -> None:
    pacing = Pacing()
    for failures, base in ((1, 1), (2, 2), (3, 4), (4, 8), (5, 16), (6, 30), (7, 30), (1000, 30)):
        pauses = [pacing.pause(failures) for _ in range(200)]
        assert base <= min(pauses)
        assert max(pauses) <= 2 * base


def test_no_two_senders_march_in_step() -> None:
    assert len({Pacing().pause(9) for _ in range(50)}) > 40
