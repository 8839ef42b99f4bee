"""Who is asking: the access token, its session cookie, or user and password. Fails closed."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import inspect
import logging
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple, Protocol

from otel_taskflow.errors import ConfigurationError
from otel_taskflow.values.text import well_formed
from otel_taskflow.web.throttle import Throttle

_logger = logging.getLogger("otel_taskflow")

ANONYMOUS = "anonymous"
REMEMBERED = 60.0
"""Seconds that a password once found right is not asked for again: as long as a live stream waits to check."""
MAX_REMEMBERED = 1000


class Credentials(NamedTuple):
    """What a request shows: the raw headers and the token of a link. Empty texts where there is nothing."""

    authorization: str = ""
    cookies: tuple[tuple[str, str], ...] = ()
    link_token: str = ""
    is_https: bool = False
    peer: str = ""
    """The address that the request comes from."""


class Identity(NamedTuple):
    """Somebody who may come in.

    Attributes:
        actor: Name for records of what was done.
        proof: ``bearer``, ``cookie``, ``basic``, ``link``, or ``none`` where none is asked for.
        client: Tells one client from another (a digest), for the cap on streams.
    """

    actor: str = ANONYMOUS
    proof: str = "none"
    client: str = ""


class Authenticator(Protocol):
    """Finds out who asks."""

    challenge: str
    """The ``WWW-Authenticate`` header of a refusal."""
    refusal: str
    """What a refused person is told to do."""
    programs: str
    """How a program, which is no page of the dashboard, changes something."""
    scheme: str
    """How OpenAPI calls it: ``bearer``, ``basic``, or nothing."""

    async def identify(self, shown: Credentials) -> Identity | None:
        """The identity that the credentials prove, or None. Raises TooManyFailuresError where guesses are counted."""


class OpenDoor:
    """``insecure=True``: everybody."""

    challenge = ""
    refusal = ""
    programs = "Programs send no `Origin`"
    scheme = ""

    async def identify(self, shown: Credentials) -> Identity | None:
        """Anonymous."""
        return Identity()


class AccessToken:
    """The access token as a bearer, in a link, or as the session cookie that a link was exchanged for."""

    scheme = "bearer"
    programs = "Programs use `Authorization: Bearer`"
    challenge = 'Bearer realm="tasks"'
    refusal = (
        "Open the link with the access token that the app printed at start-up, or send the token as "
        "`Authorization: Bearer`. To use names and passwords instead, give TaskAdmin auth=(user, password); "
        "to let everybody in, insecure=True."
    )

    def __init__(self, read_token: Callable[[], str], secret: str | bytes | None, expiry: float) -> None:
        self._read_token = read_token
        self._secret = secret
        self._expiry = int(expiry) or 1
        self._token: bytes | None = None

    async def identify(self, shown: Credentials) -> Identity | None:
        """Bearer first, then a link, then the cookie."""
        token = await self._get_token()
        scheme, _, value = shown.authorization.partition(" ")
        if scheme.lower() == "bearer":
            return _identity("bearer", token) if _same(value.strip(), token) else None
        if shown.link_token and _same(shown.link_token, token):
            return _identity("link", token)
        for value in self._sessions(shown, token):
            if self._is_valid(value, token):
                return _identity("cookie", value.encode())
        return None

    async def make_cookie(self, is_https: bool) -> str:
        """A ``Set-Cookie`` header for a new session."""
        token = await self._get_token()
        expires = int(time.time()) + self._expiry
        value = f"1.{expires}.{self._sign(expires, token)}"
        attributes = f"Max-Age={self._expiry}; Path=/; HttpOnly; SameSite=Strict"
        secure = "; Secure" if is_https else ""
        return f"{self._cookie_name(token, is_https)}={value}; {attributes}{secure}"

    async def _get_token(self) -> bytes:
        if self._token is None:
            self._token = (await asyncio.to_thread(self._read_token)).encode()
        if not self._token:
            raise ConfigurationError(
                "the access token is empty; delete the file `token` beside the store to get a new one"
            )
        return self._token

    def _sessions(self, shown: Credentials, token: bytes) -> list[str]:
        name = self._cookie_name(token, shown.is_https)
        return [value for each, value in shown.cookies if each == name][:4]

    def _cookie_name(self, token: bytes, is_https: bool) -> str:
        """Cookies know no port, so two apps on one host need two names."""
        mark = hmac.new(self._key(token), b"cookie name", hashlib.sha256).hexdigest()[:8]
        return f"{'__Host-' if is_https else ''}otel_taskflow_{mark}"

    def _is_valid(self, value: str, token: bytes) -> bool:
        version, _, rest = value.partition(".")
        expires, _, signature = rest.partition(".")
        if version != "1" or not (expires.isascii() and expires.isdigit() and len(expires) < 12):
            return False
        return _same(signature, self._sign(int(expires), token).encode()) and time.time() < int(expires)

    def _sign(self, expires: int, token: bytes) -> str:
        return hmac.new(self._key(token), f"session 1 {expires}".encode(), hashlib.sha256).hexdigest()

    def _key(self, token: bytes) -> bytes:
        secret = self._secret if self._secret is not None else token
        raw = secret.encode() if isinstance(secret, str) else secret
        return hmac.new(raw, b"otel_taskflow dashboard session", hashlib.sha256).digest()


class Passwords:
    """``auth=``: user and password through HTTP Basic, checked by ``check(user, password)``."""

    scheme = "basic"
    programs = "Programs send user and password (HTTP Basic) without an `Origin`"
    challenge = 'Basic realm="tasks", charset="UTF-8"'
    refusal = "Give the user and the password that TaskAdmin was given in auth=."

    def __init__(self, check: Callable[[str, str], Any]) -> None:
        self._check = check
        self._salt = secrets.token_bytes(32)
        self._remembered: dict[str, float] = {}
        self._throttle = Throttle()

    async def identify(self, shown: Credentials) -> Identity | None:
        """The user, if the password is right and not too many wrong ones came from there."""
        pair = _basic_pair(shown.authorization)
        if pair is None:
            return None
        self._throttle.check(shown.peer)
        client = hmac.new(self._salt, shown.authorization.encode("utf-8", "replace"), hashlib.sha256).hexdigest()
        if self._remembered.get(client, 0.0) < time.monotonic():
            is_right = await self._is_right(*pair)
            # Many guesses at once have all passed the first check: none of them may learn more than the limit allows.
            self._throttle.check(shown.peer)
            if not is_right:
                self._throttle.count(shown.peer)
                return None
            self._remember(client)
        return Identity(actor=pair[0], proof="basic", client=client)

    async def _is_right(self, user: str, password: str) -> bool:
        answer, error = await asyncio.to_thread(_called, self._check, user, password)
        if inspect.isawaitable(answer):
            answer, error = await _awaited_apart(answer)
        if error is not None:
            _logger.error("otel_taskflow: authenticate_user raised; the request is refused", exc_info=error)
        return answer is True

    def _remember(self, client: str) -> None:
        if len(self._remembered) >= MAX_REMEMBERED:
            self._remembered.clear()
        self._remembered[client] = time.monotonic() + REMEMBERED


def _called(check: Callable[[str, str], Any], user: str, password: str) -> tuple[Any, BaseException | None]:
    """The answer, or what was raised: an ``exit()`` of the app's code in there must not end the server."""
    try:
        return check(user, password), None
    except BaseException as error:  # noqa: BLE001 - whatever it raises is a refusal
        return None, error


async def _awaited_apart(answer: Awaitable[Any]) -> tuple[Any, BaseException | None]:
    """As ``_called``, in an asyncio task of its own: so a CancelledError raised there is not taken for one of the request."""
    task = asyncio.ensure_future(_awaited(answer))
    try:
        await asyncio.wait({task})
    finally:
        task.cancel()
    return task.result()


async def _awaited(answer: Awaitable[Any]) -> tuple[Any, BaseException | None]:
    try:
        return await answer, None
    except BaseException as error:  # noqa: BLE001 - whatever it raises is a refusal
        return None, error


def passwords_from(auth: Any) -> Passwords:
    """Read ``auth=``. Raises TypeError for another type, ConfigurationError for what nobody can enter."""
    method = getattr(auth, "authenticate_user", None)
    if callable(method) and not isinstance(auth, type):
        check: Callable[[str, str], bool | Awaitable[bool]] = method
        return Passwords(check)
    pairs = [auth] if _is_pair(auth) else auth
    if not isinstance(pairs, list | tuple) or not all(_is_pair(each) for each in pairs):
        raise TypeError(
            f"TaskAdmin(auth={_shape(auth)}) must be a (user, password) pair of texts, a list of such pairs, "
            "or an object with authenticate_user(username, password) -> bool"
        )
    if not pairs or not all(user and password for user, password in pairs):
        raise ConfigurationError(
            "TaskAdmin(auth=...) must hold at least one pair, and neither user nor password may be empty"
        )
    for user, password in pairs:
        _check_pair(user, password)
    return Passwords(_pairs_check(tuple(pairs)))


def _check_pair(user: str, password: str) -> None:
    if ":" in user:
        raise ConfigurationError(
            f"TaskAdmin(auth=...): the user {user!r} has a colon, where HTTP Basic ends the name; take another name"
        )
    name, what = (f"the user {user!r}", user) if well_formed(user) != user else (f"the password of {user!r}", password)
    if well_formed(what) != what:
        raise ConfigurationError(
            f"TaskAdmin(auth=...): {name} has half of a surrogate pair, which no browser can send; take another"
        )


def _pairs_check(pairs: Sequence[tuple[str, str]]) -> Callable[[str, str], bool]:
    known = [(user.encode(), password.encode()) for user, password in pairs]

    def check(user: str, password: str) -> bool:
        given = user.encode("utf-8", "replace"), password.encode("utf-8", "replace")
        found = [hmac.compare_digest(u, given[0]) & hmac.compare_digest(p, given[1]) for u, p in known]
        return any(found)

    return check


def _is_pair(value: Any) -> bool:
    return isinstance(value, tuple) and len(value) == 2 and all(isinstance(each, str) for each in value)


def _shape(auth: Any) -> str:
    """What it is, without the secret."""
    return f"<{type(auth).__name__}>"


def _basic_pair(authorization: str) -> tuple[str, str] | None:
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        raw = base64.b64decode(value.strip(), validate=True)
    except (binascii.Error, ValueError):
        return None
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    user, colon, password = text.partition(":")
    return (user, password) if colon else None


def _same(given: str, expected: bytes) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "replace"), expected)


def _identity(proof: str, secret: bytes) -> Identity:
    return Identity("access-token", proof, hashlib.sha256(b"client " + secret).hexdigest())
