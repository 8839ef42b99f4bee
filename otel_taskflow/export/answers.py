"""What an answer means for the records that were sent. Pure: the sender acts on the verdict.

The retryable answers of the OTLP specification are tried again, and so are those a server gives when it is ill (500, 408).
400, 413 and 422 are about the records: the batch is halved down to the one. What is about the destination as a whole, a wrong
key or address, is not the records' fault: they wait, and health says what to do.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timezone
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import NamedTuple

from otel_taskflow.telemetry.otlp.requests import rejected, status_text
from otel_taskflow.values.lines import one_line
from otel_taskflow.values.text import cut

TEXT_BYTES = 1024
"""What is kept of a server's text."""
LONGEST_RETRY_AFTER = 3600.0
"""Seconds. A server that asks for more is asked again after an hour: what waits here must not depend on one odd header."""


class Delivered(NamedTuple):
    """Taken, but for ``rejected`` records, which must not be sent again."""

    rejected: int = 0
    message: str = ""


class Retry(NamedTuple):
    """The same records are to be sent again, ``after`` seconds if the server said so."""

    why: str
    after: float | None = None


class Split(NamedTuple):
    """The records are refused: halve them, and put a single one into quarantine."""

    why: str
    status: int


class Hold(NamedTuple):
    """Nothing will be taken until somebody changes something; the records wait."""

    why: str
    remedy: str


Verdict = Delivered | Retry | Split | Hold

_ABOUT_THE_RECORDS = frozenset({400, 413, 422})
_COMES_BACK = frozenset({408, 429})
_REMEDIES = {
    401: "check the headers of this destination: its key or token is missing or wrong",
    403: "check the headers of this destination: its key or token may not write here",
    404: "check the endpoint: nothing takes OTLP at this address; give the base address, /v1/traces and /v1/logs are added",
    405: "check the endpoint: what answers at this address takes no OTLP; give the base address, /v1/traces and /v1/logs are added",
    407: "check the proxy that HTTP_PROXY or HTTPS_PROXY names: it wants credentials",
    415: 'check that the endpoint takes OTLP as protobuf over HTTP; compression="none" helps where gzip is not understood',
}
_OTHER_REMEDY = "check endpoint and headers of this destination, and the server's log"


def judge(status: int, headers: Mapping[str, str], body: bytes, signal: str, now: int) -> Verdict:
    """What becomes of the records.

    Args:
        headers: Of the answer, their names in lower case.
        now: Unix nanoseconds, for a ``Retry-After`` that is a date.
    """
    if 200 <= status < 300:
        return _delivered(headers, body, signal)
    why = _why(status, headers, body)
    if status in _ABOUT_THE_RECORDS:
        return Split(why, status)
    if 300 <= status < 400:
        return Hold(why, _redirect_remedy(headers))
    if 400 <= status < 500 and status not in _COMES_BACK:
        return Hold(why, _REMEDIES.get(status, _OTHER_REMEDY))
    return Retry(why, retry_after(headers.get("retry-after", ""), now))


def retry_after(value: str, now: int) -> float | None:
    """Seconds from a ``Retry-After`` header, which holds seconds or a date; None without a usable one."""
    text = value.strip()
    if text.isascii() and text.isdigit():
        return min(float(text), LONGEST_RETRY_AFTER)
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=timezone.utc)
    return min(max(0.0, moment.timestamp() - now / 1e9), LONGEST_RETRY_AFTER)


def _delivered(headers: Mapping[str, str], body: bytes, signal: str) -> Delivered:
    if not body or not _is_protobuf(headers):
        return Delivered()
    count, message = rejected(signal, body)
    return Delivered(count, _shown(message))


def _why(status: int, headers: Mapping[str, str], body: bytes) -> str:
    text = status_text(body) if _is_protobuf(headers) else ""
    shown = _shown(text or body.decode("utf-8", "replace"))
    return f"it answered {status} {_phrase(status)}".rstrip() + (f": {shown}" if shown else "")


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def _shown(text: str) -> str:
    return one_line(cut(" ".join(text.split()), TEXT_BYTES))


def _is_protobuf(headers: Mapping[str, str]) -> bool:
    return headers.get("content-type", "application/x-protobuf").lower().startswith("application/x-protobuf")


def _redirect_remedy(headers: Mapping[str, str]) -> str:
    where = _shown(headers.get("location", ""))
    goes_to = f" ({where})" if where else ""
    return f"set the endpoint to the address that it redirects to{goes_to}: redirects are not followed, they could carry keys away"


__all__ = ["Delivered", "Hold", "Retry", "Split", "Verdict", "judge", "retry_after"]
