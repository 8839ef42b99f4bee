"""Random bytes for ids, drawn from the kernel many at a time.

``os.urandom`` gives the interpreter lock away: with four ids a task, a busy event loop stood behind the consumers' threads
four times more often. What ``random`` draws would be the same in all processes forked from one.
"""

from __future__ import annotations

import os
from collections import deque

SIZE = 16
_DRAWN_AT_ONCE = 256

_drawn: deque[bytes] = deque()


def random_bytes() -> bytes:
    """16 bytes that nobody else has got, in this process or a forked one."""
    try:
        return _drawn.popleft()
    except IndexError:
        block = os.urandom(SIZE * _DRAWN_AT_ONCE)
        _drawn.extend(block[start : start + SIZE] for start in range(SIZE, len(block), SIZE))
        return block[:SIZE]


os.register_at_fork(after_in_child=_drawn.clear)
