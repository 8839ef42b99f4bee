"""A forked program is to its test what ``subprocess.Popen`` would have made of it."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.forkserver.client import Forked

SLEEPS = "import time\nprint('up', flush=True)\ntime.sleep(60)"


@contextmanager
def forked(*args: str, start_new_session: bool = False, **environ: str) -> Iterator[Forked]:
    process = Forked(args, {**os.environ, **environ}, start_new_session=start_new_session)
    try:
        yield process
    finally:
        process.kill()
        process.close()


def test_it_has_arguments_environment_streams_and_a_status_of_its_own() -> None:
    text = "import os, sys\nprint(sys.argv, os.environ['WORD'], sys.stdin.read())\nsys.exit(3)"
    with forked("-c", text, "one", "two", WORD="hello") as process:
        process.stdin.write("heard")
        assert process.communicate(20.0) == ("['-c', 'one', 'two'] hello heard\n", "")
        assert process.returncode == 3
    assert "WORD" not in os.environ


def test_a_module_runs_as_the_main_one() -> None:
    with forked("-m", "tests.forkserver") as process:
        assert process.communicate(20.0)[0] == "__main__ tests.forkserver.__main__\n"


def test_what_it_raises_is_its_last_word() -> None:
    with forked("-c", "raise ValueError('no')") as process:
        assert process.communicate(20.0)[1].endswith("ValueError: no\n")
        assert process.returncode == 1


def test_exit_handlers_and_threads_end_it_as_ever() -> None:
    text = "import atexit, threading\natexit.register(print, 'last')\nthreading.Timer(0.1, print, ['before']).start()"
    with forked("-c", text) as process:
        assert process.communicate(20.0)[0] == "before\nlast\n"


def test_a_killed_one_is_there_until_it_is_waited_for() -> None:
    with forked("-c", SLEEPS, start_new_session=True) as process:
        assert process.stdout.readline() == "up\n"
        assert os.getsid(process.pid) == process.pid
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.01)
        assert process.poll() is None
        os.kill(process.pid, signal.SIGKILL)
        assert process.stdout.read() == ""  # by then it has ended
        os.kill(process.pid, 0)
        assert process.wait(20.0) == -signal.SIGKILL
        assert process.poll() == -signal.SIGKILL


def test_one_ends_while_another_goes_on() -> None:
    with forked("-c", SLEEPS) as sleeper, forked("-c", "pass") as other:
        assert other.wait(20.0) == 0
        time.sleep(0.05)
        assert sleeper.poll() is None
