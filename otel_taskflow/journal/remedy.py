"""What to do about an error of the file system."""

from __future__ import annotations

import errno

_REMEDIES = (
    ((errno.ENOSPC, errno.EDQUOT), "free some disk space"),
    ((errno.EFBIG,), "raise the limit on the size of files (ulimit -f)"),
    ((errno.EMFILE, errno.ENFILE), "raise the limit on open files (ulimit -n)"),
    ((errno.ENOMEM,), "give this process more memory"),
    ((errno.EACCES, errno.EPERM, errno.EROFS), "make the folder writable"),
    ((errno.EEXIST, errno.ENOTDIR, errno.EISDIR), "move what is in the way"),
    ((errno.ENOLCK,), "use a file system with locks"),
    ((errno.ENAMETOOLONG,), "give it a shorter path"),
)


def remedy(error: OSError) -> str:
    """What to do, in words that follow a comma or a semicolon."""
    for numbers, words in _REMEDIES:
        if error.errno in numbers:
            return words
    return "check that disk"
