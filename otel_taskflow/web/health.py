"""Health for people and programs: the report as JSON, what live streams tell of it, and the two probes."""

from __future__ import annotations

from typing import Any

from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from otel_taskflow.health import HealthReport, PartHealth
from otel_taskflow.values.lines import iso_micros
from otel_taskflow.web.backend import AdminBackend


def report_json(report: HealthReport) -> dict[str, Any]:
    """The whole report."""
    parts = [{**_part(each), "figures": dict(each.figures)} for each in report.parts]
    return {"state": report.state, "time": iso_micros(report.time), "parts": parts}


def troubles_json(report: HealthReport) -> dict[str, Any]:
    """Only what is not well, without figures: what the banner shows."""
    return {"state": report.state, "parts": [_part(each) for each in report.troubled]}


def _part(part: PartHealth) -> dict[str, Any]:
    return {"part": part.part, "state": part.state, "why": part.why, "remedy": part.remedy}


PROBES = ("/livez", "/readyz")


class Vitals:
    """The newest report, for the live streams of one loop. ``changes`` counts what their banners must follow."""

    def __init__(self) -> None:
        self.whole: dict[str, Any] = {}
        self.troubles: dict[str, Any] = {}
        self.looks = 0
        self.changes = 0

    def take(self, report: HealthReport) -> None:
        """There is a new one."""
        self.looks += 1
        self.whole, troubles = report_json(report), troubles_json(report)
        if troubles != self.troubles:
            self.troubles = troubles
            self.changes += 1

    def number(self, *, is_whole: bool) -> int:
        """Goes up when there is something new to tell."""
        return self.looks if is_whole else self.changes

    def told(self, *, is_whole: bool) -> dict[str, Any]:
        """What a stream tells now."""
        return self.whole if is_whole else self.troubles


class Probes:
    """``livez`` and ``readyz``: for whoever asks, without a session, so they say nothing but yes or no.

    Alive is what answers. Ready is what is started, does not end and reaches its store; telemetry has no part in either.
    Who is disabled has no store, and waits for nothing.
    """

    def __init__(self, backend: AdminBackend) -> None:
        self._backend = backend

    def answers(self, method: str, path: str) -> bool:
        """Whether somebody asks for one of the two, exactly; ``path`` is the one below the admin's."""
        return method in ("GET", "HEAD") and path in PROBES

    async def __call__(self, path: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        is_well = path == "/livez" or self._backend.is_disabled or self._backend.is_ready
        response = PlainTextResponse("ok" if is_well else "not ok", 200 if is_well else 503)
        await response(scope, receive, send)


__all__ = ["PROBES", "Probes", "Vitals", "report_json", "troubles_json"]
