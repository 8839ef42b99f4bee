"""Secrets that are known by their form. Every expression takes time linear in the text: runs are entered at their start
only, or are bounded.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

Replace = Callable[["re.Match[str]"], str]


class Rule(NamedTuple):
    """A form of secret. ``hints``: texts of which one is in every text that matches; ``hint`` finds the same if there are none."""

    name: str
    pattern: re.Pattern[str]
    replace: Replace
    hints: tuple[str, ...] = ()
    hint: re.Pattern[str] | None = None


def mark(name: str) -> str:
    """What stands in place of a secret; says which rule fired."""
    return f"[redacted:{name}]"


def whole(name: str) -> Replace:
    """Replace all of the match."""
    return partial(_all_by, mark(name))


def _keep_first(name: str) -> Replace:
    return partial(_rest_by, mark(name))


# Functions of the module: the rules go to worker processes, and pickle takes no others.


def _all_by(text: str, _: re.Match[str]) -> str:
    return text


def _rest_by(text: str, match: re.Match[str]) -> str:
    return (match[1] or "") + text


def _url_user(match: re.Match[str]) -> str:
    user = match["user"]
    if match["password"] is not None:
        return f"://{user}:{mark('url_credentials')}@"
    return f"://{mark('url_credentials')}@" if len(user) >= _TOKEN_AS_USER else match[0]


def _cards(match: re.Match[str]) -> str:
    return ".".join(map(_card, match[0].split(".")))


def _card(number: str) -> str:
    digits = number.replace(" ", "").replace("-", "")
    return mark("card") if is_card(digits) else number


def _ipv6(match: re.Match[str]) -> str:
    try:
        ipaddress.IPv6Address(match[0])
    except ValueError:
        return match[0]
    return mark("ip")


def is_card(digits: str) -> bool:
    """Whether digits are a payment card's number: an issuer's prefix with its length, and the Luhn checksum."""
    return _issuer.fullmatch(digits) is not None and _luhn(digits)


def _luhn(digits: str) -> bool:
    doubled = [sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2]]
    return (sum(map(int, digits[-1::-2])) + sum(doubled)) % 10 == 0


_TOKEN_AS_USER = 16
"""A user this long without a password is a token (``https://<token>@host``)."""

_issuer = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})"  # Visa
    r"|5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}"  # Mastercard
    r"|3[47]\d{13}"  # American Express
    r"|3(?:0[0-5]\d{11}|[68]\d{12})"  # Diners Club
    r"|6(?:011\d{12}|4[4-9]\d{13}|5\d{14})"  # Discover
    r"|35(?:2[89]|[3-8]\d)\d{12}"  # JCB
    r"|62\d{14,17}",  # UnionPay
    re.ASCII,
)

_START = r"(?:(?<![A-Za-z0-9_-])|(?<=%[0-9A-Fa-f]{2})|(?<=\\[nrt]))"

URL_CREDENTIALS = Rule(
    "url_credentials",
    re.compile(
        r"""://(?P<user>[^\s/?#@:\["'<>]{0,256})"""
        r"""(?::(?P<password>[^\s/?#"'<>]{1,512}(?=@)|(?!\d{1,5}[/?#])[^\s"'<>]{1,512}(?=@)))?@"""
    ),
    _url_user,
    ("://",),
)
BEARER = Rule(
    "bearer",
    re.compile(
        r"\b(bearer(?:\s+|%20|\+))(?=[A-Za-z._~+/-]{0,64}[0-9]|[A-Za-z._~+/-]{24})[A-Za-z0-9._~+/-]{8,}=*",
        re.I | re.ASCII,
    ),
    _keep_first("bearer"),
    ("earer", "EARER"),
)
AUTHORIZATION = Rule(
    "authorization",
    re.compile(
        r"""(authorization["']?\s{0,8}[:=]\s{0,8}[bu]?["']?(?:(?P<digest>digest)|(?P<bearer>bearer)|basic|token|apikey)\s{1,8})"""
        r"""(?(digest)[^\r\n]{1,4096}|(?(bearer)(?!\[redacted:)[^\s"',;]+|[^\s"',;]+[^\r\n"']{0,1024}))""",
        re.I,
    ),
    _keep_first("authorization"),
    ("uthorization", "UTHORIZATION"),
)
JWT = Rule(
    "jwt",
    re.compile(_START + r"eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{2,}(?:\.[A-Za-z0-9_-]*){0,3}"),
    whole("jwt"),
    ("eyJ",),
)
PRIVATE_KEY = Rule(
    "private_key",
    re.compile(
        r"-----BEGIN [A-Z0-9 ]{0,32}PRIVATE KEY(?: BLOCK)?-----.*?"
        r"(?:-----END [A-Z0-9 ]{0,32}PRIVATE KEY(?: BLOCK)?-----|\Z)",
        re.S,
    ),
    whole("private_key"),
    ("-----BEGIN ",),
)
_digits = r"[2-6]\d{12,18}"
_groups = r"[2-6]\d{3}(?:(?P<four>[ -])\d{4}(?P=four)\d{4}(?P=four)\d{4}|(?P<six>[ -])\d{6}(?P=six)\d{4,5})"
_next_groups = _groups.replace("four", "next_four").replace("six", "next_six")
_no_more = r"(?![A-Za-z0-9])"
# Digits after "0." are a fraction, but not those after another card: what is found there must not depend on what is replaced first.
CARD = Rule(
    "card",
    re.compile(
        rf"(?<![A-Za-z0-9])(?:(?<!\d\.){_digits}|{_groups}){_no_more}"
        rf"(?:\.(?:{_digits}|{_next_groups}){_no_more})*",
        re.ASCII,
    ),
    _cards,
    hint=re.compile(r"[2-6](?:\d{12}|\d{3}[ -]\d)", re.ASCII),
)
SECRET_RULES = (PRIVATE_KEY, URL_CREDENTIALS, BEARER, AUTHORIZATION, JWT, CARD)
"""What is looked for without being asked. Keys come first: what another rule takes of a key's first line would leave its body."""

_ipv4_part = r"(?:25[0-5]|2[0-4]\d|1?\d?\d)"
_at_domain = r"@[\w-]+(?:\.[\w-]+)+"
PRESETS: dict[str, tuple[Rule, ...]] = {
    "email": (
        Rule(
            "email",
            re.compile(rf"(?<![\w.%+-])[\w.%+-]+{_at_domain}(?:[.%+][\w.%+-]*{_at_domain})*"),
            whole("email"),
            ("@",),
        ),
    ),
    "phone": (
        Rule(
            "phone",
            re.compile(
                r"(?<![\w.+-])(?:(?:\+|00)[1-9](?:[ ().\-/]{0,2}\d){7,14}"
                r"|\(?\d{3}\)?[ .-]\d{3}[ .-]\d{4}|0\d{2,4}[ /-]\d{5,10})(?!\w)",
                re.ASCII,
            ),
            whole("phone"),
        ),
    ),
    "ip": (
        Rule(
            "ip",
            re.compile(rf"(?<![\w.])(?:{_ipv4_part}\.){{3}}{_ipv4_part}(?![\w]|\.\d)", re.ASCII),
            whole("ip"),
            (".",),
        ),
        Rule(
            "ip", re.compile(r"(?<![\w:.])[0-9A-Fa-f:]{2,39}(?:(?<=:)[0-9.]{7,15})?(?![\w:])", re.ASCII), _ipv6, (":",)
        ),
    ),
}
"""Forms of personal data, looked for when asked by name."""
