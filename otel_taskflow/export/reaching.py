"""Whether something takes OTLP at an endpoint: one request without a record, which every receiver accepts and nothing comes of."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import replace
from typing import NamedTuple

from otel_taskflow.export.answers import Delivered, Hold, Split, judge
from otel_taskflow.export.destination import Endpoint
from otel_taskflow.export.transport import Transport, Unreachable
from otel_taskflow.telemetry.quiet import quiet

PATIENCE = 3.0
"""Seconds that a try may take."""


class Reached(NamedTuple):
    """What became of a try."""

    is_well: bool
    why: str = ""
    remedy: str = ""


def try_endpoint(endpoint: Endpoint, signal: str) -> Reached:
    """Try once. Raises nothing."""
    hasty = replace(endpoint, timeout=min(endpoint.timeout, PATIENCE))
    try:
        with quiet(), closing(Transport(hasty)) as transport:
            status, headers, body = transport.post(b"")
    except Unreachable as error:
        return Reached(False, str(error), "see that a collector listens there, or correct the endpoint")
    except Exception as error:  # noqa: BLE001 - certificates that cannot be loaded, proxies that are none: whatever it is, say so
        return Reached(False, f"{type(error).__name__}: {endpoint.redacted(str(error))}", "correct these settings")
    verdict = judge(status, headers, body, signal, time.time_ns())
    if isinstance(verdict, Delivered | Split):  # one that refuses a request without a record is there, too
        return Reached(True, f"it answered {status}")
    remedy = verdict.remedy if isinstance(verdict, Hold) else "see the log of what listens there"
    return Reached(False, endpoint.redacted(verdict.why), remedy)


__all__ = ["Reached", "try_endpoint"]
