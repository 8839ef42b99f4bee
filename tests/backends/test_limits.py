"""What task_log may say at most is what Loki takes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.backends.loki import running_loki
from tests.backends.speaking import say_in_a_task

pytestmark = [pytest.mark.backends, pytest.mark.timeout(120)]
MESSAGE = "m" * 65_536
"""As long as a message may be."""
TEXT = "v" * 2_048
"""As long as a text in the extras may be."""
SENT_ATTRIBUTES = 96
SENT_BYTES = 49_152


def test_loki_takes_a_message_of_the_greatest_length(tmp_path: Path) -> None:
    with running_loki(tmp_path) as loki:
        assert say_in_a_task(tmp_path, loki, MESSAGE + "beyond").text.startswith(MESSAGE[:-100])


def test_loki_takes_as_many_extras_as_are_sent(tmp_path: Path) -> None:
    with running_loki(tmp_path) as loki:
        line = say_in_a_task(tmp_path, loki, "many", **{f"key{n}": {"a": n, "b": n} for n in range(64)})
    assert sum(key.startswith("key") for key in line.metadata) <= SENT_ATTRIBUTES
    assert int(line.metadata["otel_taskflow_extra_omitted"]) > 0
    assert len(line.metadata) < 128


def test_loki_takes_as_many_bytes_as_are_sent_with_a_message_of_the_greatest_length(tmp_path: Path) -> None:
    with running_loki(tmp_path) as loki:
        line = say_in_a_task(tmp_path, loki, MESSAGE, **{f"key{n}": TEXT for n in range(64)})
    extras = {key: value for key, value in line.metadata.items() if key.startswith("key")}
    assert SENT_BYTES - len(TEXT) - 8 * len(extras) < sum(map(len, extras.values())) <= SENT_BYTES
    assert int(line.metadata["otel_taskflow_extra_omitted"]) == 64 - len(extras)
