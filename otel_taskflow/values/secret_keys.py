"""Which keys name a secret: whole words of a key, so that ``prompt_tokens`` and ``author`` stay."""

from __future__ import annotations

import re

_WORDS = """
password passwords passwd pwd passphrase passcode secret secrets token authorization auth apikey cookie cookies
session sessionid jwt credential credentials privatekey accesskey secretkey accesstoken refreshtoken idtoken
authtoken csrf xsrf csrftoken xsrftoken bearer ssn cvv cvc
api_key access_key private_key encryption_key signing_key master_key credit_card card_number social_security
"""
SECRET_WORDS = frozenset(_WORDS.split())
"""A key with one of these words, or with all the words of one of these one after the other, holds a secret."""

_KEY_CHARACTERS = 4096
_camel = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_separators = re.compile(r"[\W_]+")


def words_of(key: str) -> list[str]:
    """The words of a key in lower case: split at separators and at changes of case, without digits at their end."""
    spaced = _camel.sub(" ", key[:_KEY_CHARACTERS])
    return [word.rstrip("0123456789") for word in _separators.split(spaced.lower()) if word]


def secret_word(key: str, words: frozenset[str]) -> str | None:
    """Which of ``words`` makes the key a secret's, as the mark names it; None if the key is harmless.

    Entries of ``words`` are in lower case, those of several words joined by ``_``.
    """
    found = words_of(key)
    for word in found:
        if word in words:
            return word
    joined = f"_{'_'.join(found)}_"
    return next((phrase for phrase in sorted(words) if "_" in phrase and f"_{phrase}_" in joined), None)
