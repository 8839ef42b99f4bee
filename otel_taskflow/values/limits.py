"""How much of what a task says is kept."""

from __future__ import annotations

from typing import NamedTuple


class Limits(NamedTuple):
    """Sizes are bytes of UTF-8. What is longer is cut, with a mark that tells the original size, and counted.

    Attributes:
        message_bytes: A message.
        text_bytes: One text in the extras, at any depth.
        key_bytes: One key.
        extras: Extras of one call.
        container_bytes: All texts and keys of one extra that is a container.
        extras_bytes: All texts and keys of one call.
        items: Entries of one container.
        nodes: Values of one call, at all depths together.
        depth: Containers inside each other.
        error_bytes: The message of an exception.
        stacktrace_bytes: A traceback; its middle is cut.
        tags: Tags of one task.
    """

    message_bytes: int = 64 * 1024
    text_bytes: int = 2 * 1024
    key_bytes: int = 128
    extras: int = 64
    container_bytes: int = 16 * 1024
    extras_bytes: int = 192 * 1024
    items: int = 64
    nodes: int = 2048
    depth: int = 8
    error_bytes: int = 8 * 1024
    stacktrace_bytes: int = 32 * 1024
    tags: int = 64
