"""The dashboard's access token."""

from __future__ import annotations

import secrets
from pathlib import Path

from otel_taskflow.errors import ConfigurationError
from otel_taskflow.journal.once import SHORTEST, read_or_make

_in_memory = secrets.token_urlsafe(SHORTEST)


def access_token(root: Path | None) -> str:
    """The token of a folder: made once with mode 0600, the same for all its processes; without a folder, of this process.

    Raises ConfigurationError if the file is there but holds no token. Nobody else's token is replaced: another process
    may let people in with it.
    """
    if root is None:
        return _in_memory
    path = root / "token"
    try:
        return _read(path)
    except FileNotFoundError:
        read_or_make(path, lambda: secrets.token_urlsafe(SHORTEST))
        return _read(path)


def _read(path: Path) -> str:
    try:
        token = path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise _unusable(path, f"it cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise _unusable(path, "it holds characters that no token has") from error
    if len(token) < SHORTEST:
        raise _unusable(path, f"it holds {len(token)} characters, and a token has {SHORTEST} or more")
    return token


def _unusable(path: Path, why: str) -> ConfigurationError:
    return ConfigurationError(
        f"the dashboard's access token in {path} cannot be used: {why}; delete it and restart to get a new one"
    )
