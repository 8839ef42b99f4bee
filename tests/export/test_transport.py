"""How a request is sent, and what is made of connections that do not work."""

from __future__ import annotations

import gzip
import os
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from otel_taskflow.export import Endpoint
from otel_taskflow.export.destination import Tls
from otel_taskflow.export.transport import LONGEST_ANSWER, Answer, Transport, Unreachable
from otel_taskflow.testing.otlp_receiver import OTLPReceiver, Reply
from otel_taskflow.version import __version__
from tests.conftest import require_program


def post(url: str, body: bytes = b"", **settings: Any) -> Answer:
    with closing(Transport(Endpoint(f"{url}/v1/traces", **{"timeout": 2.0, **settings}))) as transport:
        return transport.post(body)


def test_a_request_says_what_it_is_and_who_sends_it(receiver: OTLPReceiver) -> None:
    assert post(receiver.url, headers={"x-key": "Grüße"}).status == 200
    (request,) = receiver.requests
    assert request.headers["content-type"] == "application/x-protobuf"
    assert request.headers["content-encoding"] == "gzip"
    assert request.headers["user-agent"] == f"OTel-OTLP-Exporter-Python-otel_taskflow/{__version__}"
    assert request.headers["x-key"].encode("latin-1").decode() == "Grüße"


def test_a_users_header_wins_but_not_over_what_the_body_is(receiver: OTLPReceiver) -> None:
    post(receiver.url, headers={"User-Agent": "shop/1", "Content-Type": "text/plain"}, compression="none")
    (request,) = receiver.requests
    assert request.headers["user-agent"] == "shop/1"
    assert request.headers["content-type"] == "application/x-protobuf"
    assert "content-encoding" not in request.headers


def test_a_compressed_body_is_gzip() -> None:
    body = b"n" * 10_000
    with raw_server(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n") as (url, got):
        post(url, body)
    head, _, sent = got[0].partition(b"\r\n\r\n")
    assert gzip.decompress(sent) == body
    assert len(sent) < 200
    assert b"POST /v1/traces HTTP/1.1" in head


def test_the_connection_is_kept(receiver: OTLPReceiver) -> None:
    with closing(Transport(Endpoint(f"{receiver.url}/v1/traces"))) as transport:
        begin = time.monotonic()
        for _ in range(50):
            assert transport.post(b"").status == 200
        assert time.monotonic() - begin < 2, "no answer waits for a delayed acknowledgement"


def test_a_redirect_is_not_followed(receiver: OTLPReceiver) -> None:
    with OTLPReceiver() as other:
        receiver.reply(Reply(307, headers={"Location": f"{other.url}/v1/traces"}))
        answer = post(receiver.url, headers={"api-key": "s3cret"})
        assert (answer.status, answer.headers["location"]) == (307, f"{other.url}/v1/traces")
        assert other.requests == []


def test_credentials_of_a_netrc_are_left_where_they_are(
    receiver: OTLPReceiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password s3cret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    post(receiver.url, headers={"Authorization": "Bearer mine"})
    post(receiver.url)
    first, second = receiver.requests
    assert first.headers["authorization"] == "Bearer mine"
    assert "authorization" not in second.headers


def test_nobody_there_is_told_in_plain_words() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(Unreachable, match=r"^Connection refused$"):
        post(f"http://127.0.0.1:{port}")


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        (Reply(ending="reset", body="x"), "reset"),
        (Reply(ending="shutdown", body="x"), "."),
        (Reply(delay=1), "no answer within 0.2 s"),
    ],
    ids=["reset", "shutdown", "slow"],
)
def test_half_an_answer_is_none(reply: Reply, told: str, receiver: OTLPReceiver) -> None:
    receiver.reply(reply)
    with pytest.raises(Unreachable, match=told):
        post(receiver.url, timeout=0.2)


def test_an_answer_that_drips_is_given_up() -> None:
    with raw_server(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n", drip=0.02) as (url, _):
        begin = time.monotonic()
        with pytest.raises(Unreachable, match=r"did not end within 0.3 s"):
            post(url, timeout=0.3)
        assert time.monotonic() - begin < 2


def test_of_an_endless_answer_the_beginning_is_read(receiver: OTLPReceiver) -> None:
    receiver.reply(Reply(503, body="x" * 1_000_000))
    answer = post(receiver.url)
    assert answer.status == 503
    assert len(answer.body) == LONGEST_ANSWER


def test_nonsense_instead_of_http_is_no_answer() -> None:
    with raw_server(b"SSH-2.0-OpenSSH_9.2\r\n") as (url, _), pytest.raises(Unreachable):
        post(url)


def test_tls_trusts_the_given_authority_and_shows_the_given_certificate(tmp_path: Path) -> None:
    certificate, key = self_signed(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    context.load_verify_locations(certificate)
    context.verify_mode = ssl.CERT_REQUIRED
    with OTLPReceiver(tls=context) as receiver:
        assert post(receiver.url, tls=Tls(certificate, certificate, key)).status == 200
        with pytest.raises(Unreachable):
            post(receiver.url, tls=Tls(certificate))
        with pytest.raises(Unreachable, match=r"(?i)certificate"):
            post(receiver.url, tls=Tls(None, certificate, key))


def self_signed(folder: Path) -> tuple[str, str]:
    openssl = require_program("openssl", remedy="install openssl")
    certificate, key = folder / "cert.pem", folder / "key.pem"
    command = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"]
    names = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate]
    subprocess.run([*command, *names], check=True, capture_output=True, env={"PATH": os.environ["PATH"]})
    return str(certificate), str(key)


@contextmanager
def raw_server(answer: bytes, drip: float | None = None) -> Iterator[tuple[str, list[bytes]]]:
    """Gives the address and what the first request was; answers, and then drips if told to."""
    got: list[bytes] = []
    over = threading.Event()

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            got.append(connection.recv(65536))
            connection.settimeout(0.2)
            with suppress(TimeoutError):
                got[0] += connection.recv(65536)
            connection.sendall(answer)
            with suppress(OSError):
                while drip and not over.wait(drip):
                    connection.sendall(b".")

    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", got
        over.set()
        thread.join(5)
