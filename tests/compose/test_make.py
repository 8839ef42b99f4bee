"""`make demo-observability` says what is missing, or where everything is."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT

pytestmark = pytest.mark.once
NO_COMPOSE = "#!/bin/sh\nexit 1\n"
NO_DAEMON = '#!/bin/sh\n[ "$1 $2" = "compose version" ]\n'
WHOLE = '#!/bin/sh\necho "$@" >>"$0.log"\ncase "$*" in *cat*) echo the-token ;; esac\n'


def make(tmp_path: Path, docker: str | None) -> subprocess.CompletedProcess[str]:
    """Run it where nothing is on PATH but what make itself needs, and this script as docker."""
    for name in ("make", "sh", "find", "printf"):
        found = shutil.which(name)
        assert found is not None
        (tmp_path / name).symlink_to(found)
    if docker is not None:
        (tmp_path / "docker").write_text(docker)
        (tmp_path / "docker").chmod(0o755)
    return subprocess.run(
        ["make", "-C", str(ROOT), "--no-print-directory", "demo-observability"],
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("docker", "missing"),
    [
        (None, "needs docker, which is not on PATH: https://docs.docker.com/get-docker/"),
        (NO_COMPOSE, "needs Docker Compose 2.23 or newer, as the plugin 'docker compose'"),
        (NO_DAEMON, "cannot reach Docker's daemon: start it, or let this user use it"),
    ],
    ids=["docker", "compose", "daemon"],
)
def test_what_is_missing_is_named_with_the_remedy(tmp_path: Path, docker: str | None, missing: str) -> None:
    done = make(tmp_path, docker)
    assert done.returncode != 0
    assert f"make demo-observability {missing}" in done.stderr
    assert "make demo shows the shop without Docker" in done.stderr


def test_it_waits_until_all_are_healthy_and_says_where_they_are(tmp_path: Path) -> None:
    done = make(tmp_path, WHOLE)
    assert done.returncode == 0, done.stderr
    asked = (tmp_path / "docker.log").read_text().splitlines()
    assert asked == [
        "compose version",
        "info",
        "compose up --build --detach --wait",
        "compose exec -T shop cat /data/token",
    ]
    assert "http://127.0.0.1:8000/tasks/dashboard?token=the-token\n" in done.stdout
    assert "http://127.0.0.1:3000/d/otel-taskflow-overview\n" in done.stdout
