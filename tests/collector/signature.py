"""AWS Signature Version 4, from the side that checks it: the signature that a request must carry."""

from __future__ import annotations

import hashlib
import hmac
import re
from typing import NamedTuple
from urllib.parse import quote

from tests.collector.intake import Request

_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>[^/]+)/(?P<date>\d{8})/(?P<region>[^/]+)/(?P<service>[^/]+)/aws4_request, "
    r"SignedHeaders=(?P<headers>[^,]+), Signature=(?P<signature>[0-9a-f]{64})"
)


class Signed(NamedTuple):
    """What a request says about who sent it, and the signature that the secret gives for what it is."""

    key: str
    region: str
    service: str
    headers: list[str]
    signature: str
    expected: str


def signed(request: Request, secret: str) -> Signed:
    """Read a request's signature and make it again. An AssertionError if it carries none."""
    found = _AUTHORIZATION.fullmatch(request.headers.get("authorization", ""))
    assert found, f"not signed: {request.headers}"
    names = found["headers"].split(";")
    scope = f"{found['date']}/{found['region']}/{found['service']}/aws4_request"
    text = "\n".join(["AWS4-HMAC-SHA256", request.headers["x-amz-date"], scope, _digest(_canonical(request, names))])
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    expected = hmac.digest(key, text.encode(), "sha256").hex()
    return Signed(found["key"], found["region"], found["service"], names, found["signature"], expected)


def _canonical(request: Request, names: list[str]) -> bytes:
    headers = "".join(f"{name}:{' '.join(request.headers[name].split())}\n" for name in names)
    lines = ["POST", quote(request.path), "", headers, ";".join(names), hashlib.sha256(request.body).hexdigest()]
    return "\n".join(lines).encode()


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
