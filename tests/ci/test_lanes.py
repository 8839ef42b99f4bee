"""`.ci/run` runs lanes beside each other: what fails there fails it, and what it began goes when it goes."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import ROOT, require_program

pytestmark = pytest.mark.once
PATIENCE = 30.0
LANES = ROOT / ".ci" / "lanes.sh"
COMMANDS = """
good() { echo "good says this"; }
bad() { echo "bad says this"; [ "${1:-}" = mended ]; }
meets() { touch "$1"; for _ in $(seq 200); do [ -e "$2" ] && return; sleep 0.1; done; return 1; }
left() { meets left right; }
right() { meets right left; }
dies() { kill -KILL $BASHPID; }
# One that tidies up when it is told to end, and one with a session of its own that hears nothing of it.
lasts() {
    setsid sleep 600 &
    echo $! >pid
    "$PYTHON" -c 'import pathlib, time
pathlib.Path("begun").touch()
try: time.sleep(600)
finally: pathlib.Path("tidied").touch()'
}
retry() { for each in "${failed[@]}"; do alone "$each" "$@"; done; }
"""


def start(folder: Path, body: str) -> subprocess.Popen[str]:
    bash = require_program("bash", remedy="install bash")
    script = folder / "script"
    script.write_text(f'set -euo pipefail\nstep() {{ echo "== $*"; }}\n. {LANES}\n{COMMANDS}\n{body}\necho "the end"\n')
    return subprocess.Popen(
        [bash, script],
        cwd=folder,
        env={**os.environ, "PYTHON": str(require_program("python3", remedy="install Python"))},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - whatever runs these tests
    )


def run(folder: Path, body: str) -> tuple[int, list[str]]:
    with start(folder, body) as process:
        said, _ = process.communicate(timeout=PATIENCE)
        return process.returncode, said.splitlines()


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def is_alive(pid: int) -> bool:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, 0)
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    return False


def test_lanes_run_beside_each_other_and_what_they_say_stands_together(tmp_path: Path) -> None:
    code, said = run(tmp_path, "lane left good\nlane right\njoin_lanes\nretry")
    assert [line.split(",")[0] for line in said] == [
        "== left has passed",
        "== good has passed",
        "good says this",
        "== right has passed",
        "the end",
    ]
    assert code == 0


def test_what_failed_in_a_lane_fails_the_script_and_the_rest_of_the_lane_runs(tmp_path: Path) -> None:
    code, said = run(tmp_path, "lane bad good\njoin_lanes\nretry again")
    assert [line.split(",")[0] for line in said] == [
        "== bad has FAILED",
        "bad says this",
        "== good has passed",
        "good says this",
        "bad says this",
    ]
    assert code == 1


def test_what_several_lanes_are_given_is_run_once_by_the_one_that_comes_to_it_first(tmp_path: Path) -> None:
    body = 'counts() { echo "$BASHPID" >>counted; }\nlane left counts\nlane counts right\njoin_lanes'
    code, said = run(tmp_path, body)
    assert [line.split(",")[0] for line in said] == [
        "== left has passed",
        "== counts has passed",
        "== right has passed",
        "the end",
    ]
    assert code == 0
    assert len((tmp_path / "counted").read_text().splitlines()) == 1


def test_what_a_lane_that_died_had_left_is_run_by_another_that_has_it_too(tmp_path: Path) -> None:
    code, said = run(tmp_path, 'lane dies good\nlane good\njoin_lanes\necho "${failed[*]}"')
    assert said[-2:] == ["dies", "the end"]
    assert code == 0


def test_what_passes_when_it_is_tried_again_alone_does_not_fail_the_script(tmp_path: Path) -> None:
    code, said = run(tmp_path, "lane bad\nlane good\njoin_lanes\nretry mended")
    assert (code, said[-1]) == (0, "the end")


def test_a_lane_that_dies_has_failed_with_all_that_it_had_left(tmp_path: Path) -> None:
    code, said = run(tmp_path, 'lane dies good\njoin_lanes\necho "${failed[*]}"\nretry')
    assert "dies good" in said
    assert code != 0


@pytest.mark.parametrize("body", ["lane good lasts\nlane good\njoin_lanes", "alone lasts"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_script_that_is_ended_leaves_no_process(tmp_path: Path, body: str, number: signal.Signals) -> None:
    with start(tmp_path, body) as process:
        wait_for((tmp_path / "begun").exists)
        process.send_signal(number)
        assert process.wait(PATIENCE) == 128 + number
    assert (tmp_path / "tidied").exists()
    pid = int((tmp_path / "pid").read_text())
    wait_for(lambda: not is_alive(pid))


def test_what_a_command_forgets_to_end_is_ended(tmp_path: Path) -> None:
    code, _ = run(tmp_path, "forgets() { setsid sleep 600 & echo $! >pid; }\nalone forgets")
    assert code == 0
    pid = int((tmp_path / "pid").read_text())
    wait_for(lambda: not is_alive(pid))
