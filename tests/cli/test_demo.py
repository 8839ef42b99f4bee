"""The demo's address and folder: what cannot be used is told in one line."""

from __future__ import annotations

import re
import socket
from pathlib import Path
from types import SimpleNamespace

import pytest

from otel_taskflow import ConfigurationError
from otel_taskflow.cli import main
from otel_taskflow.demo import server
from otel_taskflow.demo.shop import make_shop


@pytest.mark.parametrize("port", ["99999", "-1", "0", "http", "9" * 50])
def test_what_is_no_port_is_refused(port: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["demo", f"--port={port}"])
    assert ended.value.code == 2
    assert "is no port; use a number from 1 to 65535" in capsys.readouterr().err


@pytest.mark.parametrize("host", ["nosuch.invalid", "192.0.2.1", "." * 70])
def test_what_is_no_address_of_this_host_is_refused_before_anything_is_made(
    host: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "make_shop", pytest.fail)
    assert main(["demo", "--host", host]) == 2
    said = capsys.readouterr().err
    assert f"otel-taskflow demo: --host {host}: " in said
    assert "use an address of this host" in said
    assert said.count("\n") == 1


def test_without_a_free_port_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert server._free_port("127.0.0.1", port) in range(port + 1, port + 50)
    monkeypatch.setattr(server, "_is_free", lambda *_: False)
    with pytest.raises(ConfigurationError, match="no free port between 65530 and 65535"):
        server._free_port("127.0.0.1", 65530)


def test_a_port_whose_last_connections_have_ended_is_free() -> None:
    with socket.socket() as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        port: int = listening.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as visitor:
            # Who closes first keeps the port in TIME_WAIT for a minute.
            listening.accept()[0].close()
            assert visitor.recv(1) == b""
        assert not server._is_free("127.0.0.1", port)
    assert server._is_free("127.0.0.1", port)


@pytest.mark.parametrize(
    ("host", "reachable"),
    [
        ("0.0.0.0", "127.0.0.1"),
        ("::", "[::1]"),
        ("0:0:0:0:0:0:0:0", "[::1]"),
        ("fd00::5", "[fd00::5]"),
        ("192.0.2.1", "192.0.2.1"),
        ("localhost", "localhost"),
    ],
)
def test_the_link_leads_to_where_the_server_listens(host: str, reachable: str) -> None:
    assert server._reachable(host) == reachable


def test_it_says_where_tasks_really_are_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    customers = SimpleNamespace(base="http://127.0.0.1:8000", work=lambda: None)
    for settings, place in (({"store": "memory"}, "memory, until this process ends"), ({}, f"{tmp_path / 'tasks.db'}")):
        shop = make_shop(dir=tmp_path, testing=False, **settings)
        try:
            server._greet_and_order(SimpleNamespace(started=True), shop, customers)
        finally:
            shop.tasks.stop()
        assert f"Tasks are kept in {place}. Ctrl-C" in capsys.readouterr().out


@pytest.fixture
def unserved(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command as in an app, not as in a hermetic test; reaching its server is a failure."""
    monkeypatch.delenv("OTEL_TASKFLOW_TESTING", raising=False)
    monkeypatch.setattr("uvicorn.Server", pytest.fail)


@pytest.mark.usefixtures("unserved")
def test_a_disabled_manager_is_refused_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OTEL_TASKFLOW_DISABLED", "1")
    assert main(["demo", "--dir", str(tmp_path / "state")]) == 2
    said = capsys.readouterr().err
    assert said == (
        "otel-taskflow demo: a disabled manager keeps no tasks to look at; leave out OTEL_TASKFLOW_DISABLED\n"
    )
    assert not (tmp_path / "state").exists()


@pytest.mark.usefixtures("unserved")
def test_a_folder_that_cannot_be_used_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    in_the_way = tmp_path / "state"
    in_the_way.touch()
    assert main(["demo", "--dir", str(in_the_way)]) == 2
    said = capsys.readouterr().err
    assert re.match(
        re.escape(f"otel-taskflow demo: --dir {in_the_way}: the folder {in_the_way} cannot be used: "), said
    )
    assert said.count("\n") == 1
