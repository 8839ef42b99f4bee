"""The standard variables, and arguments over them."""

from __future__ import annotations

from pathlib import Path

import pytest

from otel_taskflow import ConfigurationError
from otel_taskflow.export import Endpoint, OTLPExporter

PREFIX = "OTEL_EXPORTER_OTLP_"


def endpoints(exporter: OTLPExporter | None = None, **variables: str) -> dict[str, Endpoint]:
    environ = {f"{PREFIX}{name}": value for name, value in variables.items()}
    return dict((exporter or OTLPExporter()).resolve(environ).endpoints)


def test_without_any_it_is_the_local_collector_with_gzip() -> None:
    found = endpoints()
    assert {signal: each.url for signal, each in found.items()} == {
        "traces": "http://localhost:4318/v1/traces",
        "logs": "http://localhost:4318/v1/logs",
    }
    assert {each.timeout for each in found.values()} == {10.0}
    assert {each.compression for each in found.values()} == {"gzip"}
    assert {dict(each.headers) == {} for each in found.values()} == {True}


@pytest.mark.parametrize(
    ("base", "url"),
    [
        ("http://otel:4318", "http://otel:4318/v1/traces"),
        ("http://otel:4318/", "http://otel:4318/v1/traces"),
        ("https://otel/api/otlp", "https://otel/api/otlp/v1/traces"),
        ("https://otel/api/otlp/", "https://otel/api/otlp/v1/traces"),
        ("https://otel/otlp?tenant=a", "https://otel/otlp/v1/traces?tenant=a"),
        ("http://[::1]:4318", "http://[::1]:4318/v1/traces"),
    ],
)
def test_the_general_endpoint_is_a_base_as_is_the_argument(base: str, url: str) -> None:
    assert endpoints(ENDPOINT=base)["traces"].url == url
    assert endpoints(OTLPExporter(base), ENDPOINT="http://other")["traces"].url == url


def test_a_signals_endpoint_is_taken_as_it_is() -> None:
    found = endpoints(
        ENDPOINT="http://base:4318", TRACES_ENDPOINT="http://tempo:4318/some/where", LOGS_ENDPOINT="http://loki"
    )
    assert found["traces"].url == "http://tempo:4318/some/where"
    assert found["logs"].url == "http://loki"


def test_empty_is_not_set() -> None:
    found = endpoints(ENDPOINT=" ", TRACES_TIMEOUT="", TIMEOUT="3", HEADERS="", PROTOCOL="", COMPRESSION="")
    assert found["traces"].url == "http://localhost:4318/v1/traces"
    assert found["traces"].timeout == 3.0


def test_headers_are_percent_decoded_and_the_signals_own_replace_the_general_ones() -> None:
    found = endpoints(
        HEADERS="api-key=a%2Cb%3D1, x-scope = tenant%20one ,Authorization=Basic YTpi==",
        LOGS_HEADERS="X-Other=Gr%C3%BC%C3%9Fe",
    )
    assert dict(found["traces"].headers) == {
        "api-key": "a,b=1",
        "x-scope": "tenant one",
        "Authorization": "Basic YTpi==",
    }
    assert dict(found["logs"].headers) == {"X-Other": "Grüße"}


def test_an_argument_wins_over_its_variable_which_is_not_even_looked_at() -> None:
    exporter = OTLPExporter(headers={"a": "1"}, timeout=2, compression="none", protocol="http/protobuf")
    found = endpoints(exporter, HEADERS="key=secret", TIMEOUT="soon", COMPRESSION="zstd", PROTOCOL="grpc")["traces"]
    assert dict(found.headers) == {"a": "1"}
    assert found.timeout == 2.0
    assert found.compression == "none"


def test_each_signal_may_have_its_own_settings() -> None:
    found = endpoints(TIMEOUT="5", LOGS_TIMEOUT="0.5", COMPRESSION="none", TRACES_COMPRESSION="GZIP")
    assert (found["traces"].timeout, found["traces"].compression) == (5.0, "gzip")
    assert (found["logs"].timeout, found["logs"].compression) == (0.5, "none")


@pytest.mark.parametrize("name", ["PROTOCOL", "TRACES_PROTOCOL"])
@pytest.mark.parametrize("protocol", ["grpc", "http/json"])
def test_another_protocol_is_refused_with_the_way_out(name: str, protocol: str) -> None:
    with pytest.raises(ConfigurationError, match=f"{PREFIX}{name}='{protocol}'.*http/protobuf.*4318"):
        endpoints(**{name: protocol})


def test_http_protobuf_is_spoken() -> None:
    assert endpoints(PROTOCOL="http/protobuf")["logs"].url == "http://localhost:4318/v1/logs"


@pytest.mark.parametrize(
    ("name", "value", "remedy"),
    [
        ("ENDPOINT", "localhost:4318", "http address"),
        ("ENDPOINT", "http://", "http address"),
        ("LOGS_ENDPOINT", "http://host:port", "address"),
        ("TIMEOUT", "soon", "seconds"),
        ("TIMEOUT", "0", "seconds"),
        ("TIMEOUT", "nan", "seconds"),
        ("COMPRESSION", "zstd", "'gzip', 'none'"),
        ("CERTIFICATE", "/nowhere/ca.pem", "PEM file"),
        ("CLIENT_KEY", "/nowhere/key.pem", "PEM file"),
    ],
)
def test_a_bad_value_is_named_with_its_variable_and_a_remedy(name: str, value: str, remedy: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        endpoints(**{name: value})
    assert f"{PREFIX}{name}" in str(caught.value)
    assert remedy in str(caught.value)


@pytest.mark.parametrize(
    "value", ["api-key: s3cret", "s3cret", "=s3cret", "a=b,s3cret", "a b=s3cret", "a=s3cret%0d%0ax: y"]
)
def test_bad_headers_are_refused_without_showing_what_they_hold(value: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        endpoints(HEADERS=value)
    assert f"{PREFIX}HEADERS" in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_files_are_looked_at_when_it_starts(tmp_path: Path) -> None:
    for name in ("ca", "cert", "key"):
        (tmp_path / name).touch()
    found = endpoints(
        CERTIFICATE=str(tmp_path / "ca"),
        CLIENT_CERTIFICATE=str(tmp_path / "cert"),
        LOGS_CLIENT_KEY=str(tmp_path / "key"),
    )
    assert found["traces"].tls == (str(tmp_path / "ca"), str(tmp_path / "cert"), None)
    assert found["logs"].tls == (str(tmp_path / "ca"), str(tmp_path / "cert"), str(tmp_path / "key"))
    given = OTLPExporter(certificate=tmp_path / "cert", client_certificate=str(tmp_path / "cert"))
    assert endpoints(given, CERTIFICATE="/nowhere")["logs"].tls.ca == str(tmp_path / "cert")


def test_a_key_without_a_certificate_is_refused(tmp_path: Path) -> None:
    (tmp_path / "key").touch()
    with pytest.raises(ConfigurationError, match="client_certificate"):
        endpoints(OTLPExporter(client_key=tmp_path / "key"))


def test_credentials_in_an_address_become_a_header_and_are_shown_nowhere() -> None:
    found = endpoints(ENDPOINT="https://me:s3cr%2Fet@otel:4318")["traces"]
    assert found.url == "https://otel:4318/v1/traces"
    assert found.headers["Authorization"] == "Basic bWU6czNjci9ldA=="
    assert "s3cr" not in repr(found)
    with pytest.raises(ConfigurationError) as caught:
        endpoints(ENDPOINT="ftp://me:s3cr@otel")
    assert "s3cr" not in str(caught.value)
