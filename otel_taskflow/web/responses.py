"""Responses: JSON that cannot fail, pages from template files, and the headers that all of them carry."""

from __future__ import annotations

import html
import json
import math
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from string import Template
from typing import Any

import pydantic_core
from starlette.responses import HTMLResponse, Response

TEMPLATES = Path(__file__).parent / "templates"

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'"
)
SECURITY_HEADERS = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


_ESCAPED = tuple((end.encode(), f"\\u{ord(end):04x}".encode()) for end in "\x85\u2028\u2029")
"""Line ends beyond ASCII."""
_CONSTANTS = (b"NaN", b"Infinity")
"""What is no JSON, if it is no text."""


def to_json_bytes(value: Any) -> bytes:
    """JSON of whatever a store holds, in one line for every reader of lines.

    NaN and infinities become texts; lone surrogates and the line ends beyond ASCII are escaped.
    """
    try:
        encoded = pydantic_core.to_json(value, inf_nan_mode="constants")
    except pydantic_core.PydanticSerializationError:  # lone surrogates
        return _to_ascii(value)
    if any(constant in encoded for constant in _CONSTANTS):
        return _to_ascii(value)
    for end, escape in _ESCAPED:
        encoded = encoded.replace(end, escape)
    return encoded


def to_json(value: Any) -> str:
    """``to_json_bytes`` as text."""
    return to_json_bytes(value).decode()


def to_json_for_html(value: Any) -> str:
    """JSON that may stand in a page's data block: nothing in it can end the block."""
    return to_json(value).replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


class Json(Response):
    """A JSON response."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """The body."""
        return to_json_bytes(content)


def refusal(status: int, detail: str, headers: Mapping[str, str] | None = None) -> Json:
    """An error as the API gives it."""
    return Json({"detail": detail}, status, dict(headers or {}))


def page(
    template: str, status: int, texts: Mapping[str, str], headers: Mapping[str, str] | None = None
) -> HTMLResponse:
    """A page; the texts are escaped."""
    return raw_page(template, status, {name: html.escape(text) for name, text in texts.items()}, headers)


def raw_page(
    template: str, status: int, parts: Mapping[str, str], headers: Mapping[str, str] | None = None
) -> HTMLResponse:
    """A page whose parts are HTML already. Pages are always UTF-8, so what cannot be encoded is shown as a mark."""
    text = _template(template).substitute(parts).encode("utf-8", "replace")
    return HTMLResponse(text, status, dict(headers or {}))


@cache
def _template(name: str) -> Template:
    return Template((TEMPLATES / name).read_text(encoding="utf-8"))


def _to_ascii(value: Any) -> bytes:
    return json.dumps(_finite(value), allow_nan=False, separators=(",", ":")).encode()


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): _finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return value
