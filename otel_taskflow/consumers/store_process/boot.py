"""The first lines of the process that writes the store: ``python -I boot.py DESCRIPTOR PATH``.

Isolated, since neither the user's start-up hooks nor ``__main__`` have any business there; it imports from where its parent does.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from multiprocessing.connection import Connection

BEHIND_THE_APP = 5
"""Added to the niceness: where there are fewer processors than work, the app goes first."""


def main() -> None:
    """Import from the parent's ``sys.path``, a JSON array, and serve. The parent decides when to end, no signal to the group."""
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, signal.SIG_IGN)
    os.nice(BEHIND_THE_APP)
    connection = Connection(int(sys.argv[1]))
    sys.path[:] = json.loads(sys.argv[2])
    from otel_taskflow.consumers.store_process.child import serve

    serve(connection)


if __name__ == "__main__":
    main()
