"""Whether a request may pass: one pure decision."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from otel_taskflow.web.credentials import Credentials, Identity
from otel_taskflow.web.hosts import TEST_HOST, host_name, is_listed, is_local_name

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
TEST_CLIENTS = frozenset({("testclient", 50000), ("127.0.0.1", 123)})
"""The addresses that Starlette's TestClient and httpx's ASGITransport give; no socket has them."""


class Question(NamedTuple):
    """What a request says about itself, as far as it matters here."""

    method: str
    is_page: bool
    host: str
    credentials: Credentials
    origin: str = ""
    fetch_site: str = ""
    has_marker: bool = False
    """It carries ``X-Otel-Taskflow``, which a foreign page cannot send without being asked first."""
    is_test_client: bool = False


class Answer(Enum):
    """What happens with a request."""

    ENTER = "enter"
    EXCHANGE = "exchange"
    WHO_ARE_YOU = "who are you"
    WRONG_HOST = "wrong host"
    WRONG_ORIGIN = "wrong origin"


@dataclass(frozen=True, slots=True)
class Policy:
    """What was configured: which hosts are served, and whether a test client needs credentials."""

    allowed_hosts: tuple[str, ...] | None = None
    trusts_test_clients: Callable[[], bool] = bool

    def decide(self, question: Question, identity: Identity | None) -> Answer:
        """Host first, then identity, then origin."""
        if not self._is_host_allowed(question, identity):
            return Answer.WRONG_HOST
        if identity is None:
            return Answer.WHO_ARE_YOU
        if identity.proof == "link":
            return Answer.EXCHANGE if question.is_page and question.method == "GET" else Answer.WHO_ARE_YOU
        if question.method not in SAFE_METHODS and not _is_our_own_page(question, identity):
            return Answer.WRONG_ORIGIN
        return Answer.ENTER

    def trusts(self, question: Question) -> bool:
        """True for the test client of a hermetic test that shows no credentials of its own."""
        return self.trusts_test_clients() and question.is_test_client and not question.credentials.authorization

    def _is_host_allowed(self, question: Question, identity: Identity | None) -> bool:
        """A given list holds for all. Without one, who proves nothing may be a page that rebound its own name.

        A test client is no page: httpx's is mostly given ``http://test`` as its base.
        """
        host = host_name(question.host)
        if self.allowed_hosts is not None:
            return is_listed(host, self.allowed_hosts)
        is_for_everybody = identity is not None and identity.proof == "none"
        is_in_test = question.is_test_client and (host == TEST_HOST or self.trusts_test_clients())
        return not is_for_everybody or is_local_name(host) or is_in_test


def _is_our_own_page(question: Question, identity: Identity) -> bool:
    """Whether an unsafe request is meant: browsers send cookies and passwords with foreign pages' requests too."""
    if identity.proof == "bearer":
        return True
    is_from_browser = bool(question.fetch_site or question.origin)
    if identity.proof != "cookie" and not is_from_browser:
        return True
    return question.has_marker and _is_same_origin(question)


def _is_same_origin(question: Question) -> bool:
    if question.fetch_site:
        return question.fetch_site == "same-origin"
    scheme, _, host = question.origin.partition("://")
    return bool(host) and scheme in ("http", "https") and host.lower() == question.host.lower()
