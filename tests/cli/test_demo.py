"""The demo's address: what cannot be listened on is told in one line."""

from __future__ import annotations

import socket

import pytest

from otel_taskflow import ConfigurationError
from otel_taskflow.cli import main
from otel_taskflow.demo import server


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
