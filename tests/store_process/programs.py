"""Programs that are killed while another process writes their store: ``python -m tests.store_process.programs NAME FOLDER``."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from otel_taskflow.consumers.store_process import host
from tests.crash.programs import say
from tests.store_process.counting import Counting

if __name__ == "__main__":
    host.MUCH = 10
    counting = Counting(Path(sys.argv[2]))
    pid = counting.hand_over()
    if sys.argv[1] == "fork" and os.fork() == 0:
        time.sleep(60)
        os._exit(0)
    say("pid", pid)
    while sys.argv[1] != "idle":
        say("task", counting.add(100))
    time.sleep(60)
