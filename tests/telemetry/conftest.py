"""Fixtures of the telemetry tests."""

from __future__ import annotations

import pytest

from otel_taskflow.telemetry import OpenTelemetry
from tests.telemetry.parts import Recorder


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def telemetry(recorder: Recorder) -> OpenTelemetry:
    return OpenTelemetry(recorder.tracer_provider, recorder.meter_provider)
