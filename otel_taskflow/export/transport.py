"""One POST and its answer, over HTTP with ``requests``. Redirects are not followed, and only our own headers carry secrets."""

from __future__ import annotations

import time
import zlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from otel_taskflow.export.destination import Endpoint
from otel_taskflow.values.lines import one_line
from otel_taskflow.version import __version__

if TYPE_CHECKING:
    import requests

USER_AGENT = f"OTel-OTLP-Exporter-Python-otel_taskflow/{__version__}"
LONGEST_ANSWER = 64 * 1024
"""Bytes of an answer that are read: an answer to an export is short, what is longer is some page."""
_PIECE = 16
_GZIP_LEVEL = 1
"""Three times as fast as the usual 6, for a tenth more bytes: repetitive messages compress well at any level."""
_GZIP_WINDOW = 31


class Answer(NamedTuple):
    """What a server said; the names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Unreachable(Exception):  # noqa: N818 - what happened, not whose error it is
    """There was no whole answer; its text says why."""


class Transport:
    """Connections to one endpoint. For one thread."""

    def __init__(self, endpoint: Endpoint) -> None:
        import requests

        self._endpoint = endpoint
        self._session = requests.Session()
        self._session.auth = _no_auth
        self._headers = _headers(endpoint)
        self._tls = _tls(endpoint)

    def post(self, body: bytes) -> Answer:
        """Send a request's body. Raises Unreachable."""
        import requests

        try:
            with self._send(body) as response:
                content = self._read(response)
        except requests.Timeout:
            raise Unreachable(f"no answer within {self._endpoint.timeout:g} s") from None
        except (requests.RequestException, OSError) as error:
            raise Unreachable(self._endpoint.redacted(_cause(error))) from error
        headers = {name.lower(): value for name, value in response.headers.items()}
        return Answer(response.status_code, headers, content)

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def _send(self, body: bytes) -> requests.Response:
        return self._session.post(
            self._endpoint.url,
            data=_gzipped(body) if self._endpoint.compression == "gzip" else body,
            headers=self._headers,
            timeout=self._endpoint.timeout,
            allow_redirects=False,
            stream=True,
            **self._tls,
        )

    def _read(self, response: requests.Response) -> bytes:
        """The answer's body, in one more time-out: the one of ``requests`` begins anew with everything that comes.

        In small pieces, because each is waited for until it is full.
        """
        deadline = time.monotonic() + self._endpoint.timeout
        content = bytearray()
        for chunk in response.iter_content(_PIECE):
            content += chunk
            if len(content) >= LONGEST_ANSWER:
                break
            if time.monotonic() > deadline:
                raise Unreachable(f"its answer did not end within {self._endpoint.timeout:g} s")
        if response.raw.length_remaining and len(content) < LONGEST_ANSWER:
            # Older releases of urllib3 say nothing.
            raise Unreachable("its answer broke off in the middle")
        return bytes(content[:LONGEST_ANSWER])


def _no_auth(request: Any) -> Any:
    """Keeps ``requests`` from putting the credentials of a ``.netrc`` over our headers."""
    return request


def _headers(endpoint: Endpoint) -> Mapping[str, str | bytes]:
    ours = {"content-type": "application/x-protobuf"}
    if endpoint.compression == "gzip":
        ours["content-encoding"] = "gzip"
    given = {name.lower(): value.encode() for name, value in endpoint.headers.items()}
    return {"user-agent": USER_AGENT, **given, **ours}


def _tls(endpoint: Endpoint) -> dict[str, Any]:
    """Given with each request: a session's own would lose to ``REQUESTS_CA_BUNDLE``."""
    tls = endpoint.tls
    certificate = tls.certificate if tls.key is None else (tls.certificate, tls.key)
    return {"verify": tls.ca or True, "cert": certificate}


def _gzipped(body: bytes) -> bytes:
    compressor = zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, _GZIP_WINDOW)
    return compressor.compress(body) + compressor.flush()


def _cause(error: BaseException) -> str:
    """What the system said, from under the layers of libraries."""
    chain = [error]
    while (below := chain[-1].__cause__ or chain[-1].__context__) is not None and below not in chain:
        chain.append(below)
    system = [each for each in chain if isinstance(each, OSError) and each.strerror]
    deepest = system[-1] if system else chain[-1]
    return one_line(str(getattr(deepest, "strerror", None) or deepest) or type(deepest).__name__)


__all__ = ["Answer", "Transport", "Unreachable"]
