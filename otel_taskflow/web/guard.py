"""The one guard in front of every route of the dashboard: pages, API, stream, static files, errors. Fails closed."""

from __future__ import annotations

import logging
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qsl, quote, urlencode

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from otel_taskflow.errors import TaskflowError
from otel_taskflow.web.credentials import AccessToken, Authenticator, Credentials, Identity
from otel_taskflow.web.health import Probes
from otel_taskflow.web.hosts import host_name
from otel_taskflow.web.policy import TEST_CLIENTS, Answer, Policy, Question
from otel_taskflow.web.responses import SECURITY_HEADERS, page, refusal
from otel_taskflow.web.routing import inner_path
from otel_taskflow.web.throttle import TooManyFailuresError

_logger = logging.getLogger("otel_taskflow")

MARKER = "x-otel-taskflow"
IDENTITY = "otel_taskflow.identity"
RECHECK = "otel_taskflow.recheck"


class Guard:
    """Lets a request in, exchanges its link for a session, or says why not. Who probes needs no session, and comes no further."""

    def __init__(self, app: ASGIApp, path: str, authenticator: Authenticator, policy: Policy, probes: Probes) -> None:
        self._app = app
        self._path = path
        self._authenticator = authenticator
        self._policy = policy
        self._probes = probes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Decide about a request, then act on the decision."""
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        guarded_send = _with_security_headers(send)
        inner = inner_path(scope, self._path)
        if self._probes.answers(scope["method"], inner):
            await self._probes(inner, scope, receive, guarded_send)
            return
        question = ask(scope, self._path)
        try:
            answer, identity = await self._answer(question)
        except (TaskflowError, OSError) as error:
            await self._explain_failure(error, question)(scope, receive, guarded_send)
            return
        if answer is Answer.ENTER:
            scope[IDENTITY] = identity
            scope[RECHECK] = lambda: self._still_holds(question)
            await self._app(scope, receive, guarded_send)
        elif answer is Answer.EXCHANGE:
            await (await self._exchange(scope, question))(scope, receive, guarded_send)
        else:
            await self._explain(answer, question)(scope, receive, guarded_send)

    async def _answer(self, question: Question) -> tuple[Answer, Identity | None]:
        identity = await self._authenticator.identify(question.credentials)
        if identity is None and self._policy.trusts(question):
            identity = Identity()
        return self._policy.decide(question, identity), identity

    async def _still_holds(self, question: Question) -> bool:
        """For what stays open: would the request be let in now?"""
        try:
            answer, _ = await self._answer(question)
        except TooManyFailuresError:
            return False
        return answer is Answer.ENTER

    async def _exchange(self, scope: Scope, question: Question) -> Response:
        assert isinstance(self._authenticator, AccessToken)
        response = Response(status_code=303, headers={"location": _without_token(scope)})
        response.headers.append("set-cookie", await self._authenticator.make_cookie(question.credentials.is_https))
        return response

    def _explain_failure(self, error: Exception, question: Question) -> Response:
        if isinstance(error, TooManyFailuresError):
            response = self._refuse(question, 429, str(error))
            response.headers["retry-after"] = str(error.retry_after)
            return response
        _logger.warning("otel_taskflow: the dashboard cannot check who asks: %s", error)
        return self._refuse(question, 503, "The dashboard cannot check who asks: see the app's log.")

    def _explain(self, answer: Answer, question: Question) -> Response:
        if answer is Answer.WRONG_HOST:
            host = host_name(question.host)
            return self._refuse(
                question,
                403,
                f"The host {host!r} is not served here. If it is yours: TaskAdmin(..., allowed_hosts=[{host!r}]).",
            )
        if answer is Answer.WRONG_ORIGIN:
            return self._refuse(
                question,
                403,
                f"Refused: this request does not come from the dashboard's own page. {self._authenticator.programs}; "
                f"pages send `X-Otel-Taskflow: 1` from the same origin.{_hint_at_proxy(question)}",
            )
        return self._refuse(question, 401, self._authenticator.refusal)

    def _refuse(self, question: Question, status: int, detail: str) -> Response:
        challenge = self._authenticator.challenge
        headers = {"www-authenticate": challenge} if status == 401 and challenge else {}
        if not question.is_page:
            return refusal(status, f"Unauthorized. {detail}" if status == 401 else detail, headers)
        title = {401: "Who is there?", 429: "Not now"}.get(status, "Not here")
        return page("refused.html", status, {"title": title, "detail": detail}, headers)


def _hint_at_proxy(question: Question) -> str:
    """Over plain http only Host says where our page is, and nginx puts its own there unless it is told not to."""
    if not question.has_marker or question.fetch_site or question.origin in ("", "null"):
        return ""
    return (
        f" The page is at {question.origin!r}, and the request came for the host {question.host!r}: a proxy between them "
        "must pass Host on (nginx: `proxy_set_header Host $http_host;`)."
    )


class ProbesOnly:
    """What a disabled manager has in place of all that is guarded: the two probes, and nothing else."""

    def __init__(self, path: str, probes: Probes) -> None:
        self._path = path
        self._probes = probes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a probe."""
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        inner, guarded_send = inner_path(scope, self._path), _with_security_headers(send)
        if self._probes.answers(scope["method"], inner):
            await self._probes(inner, scope, receive, guarded_send)
        else:
            await refusal(404, "Not Found")(scope, receive, guarded_send)


def ask(scope: Scope, path: str) -> Question:
    """Read the question from an ASGI scope."""
    headers = Headers(scope=scope)
    is_page = scope["method"] in ("GET", "HEAD") and is_page_path(inner_path(scope, path))
    return Question(
        method=scope["method"],
        is_page=is_page,
        host=headers.get("host", ""),
        credentials=Credentials(
            authorization=headers.get("authorization", ""),
            cookies=_cookies(headers),
            link_token=_link_token(scope) if is_page else "",
            is_https=scope.get("scheme") == "https",
            peer=str((scope.get("client") or ("",))[0]),
        ),
        origin=headers.get("origin", ""),
        fetch_site=headers.get("sec-fetch-site", ""),
        has_marker=MARKER in headers,
        is_test_client=tuple(scope.get("client") or ()) in TEST_CLIENTS,
    )


def is_page_path(inner: str) -> bool:
    """True for what a person opens in a browser."""
    return inner.rstrip("/") in ("/dashboard", "/dashboard/health") or inner.startswith(
        ("/dashboard/tasks/", "/dashboard/trace/")
    )


def _cookies(headers: Headers) -> tuple[tuple[str, str], ...]:
    found: list[tuple[str, str]] = []
    for header in headers.getlist("cookie"):
        for piece in header.split(";"):
            try:
                cookie: SimpleCookie = SimpleCookie(piece.strip())
            except CookieError:
                continue
            found.extend((name, morsel.value) for name, morsel in cookie.items())
    return tuple(found)


def _link_token(scope: Scope) -> str:
    return next((value for name, value in _query(scope) if name == "token"), "")


def _without_token(scope: Scope) -> str:
    """The same page without the token, relative to itself: no host and no prefix can be got wrong."""
    last = scope["path"].rstrip("/").rpartition("/")[2]
    up = "../" if scope["path"].endswith("/") else "./"
    rest = urlencode([(name, value) for name, value in _query(scope) if name != "token"])
    return up + quote(last, safe="") + (f"?{rest}" if rest else "")


def _query(scope: Scope) -> list[tuple[str, str]]:
    return parse_qsl(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True)


def _with_security_headers(send: Send) -> Send:
    async def guarded(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in SECURITY_HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return guarded
