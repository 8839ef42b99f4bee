"""compose.yaml keeps its promises. There is no Docker where this runs: what can be said of the file without one is said here."""

from __future__ import annotations

import json
import re
import subprocess
from urllib.parse import urlsplit

import pytest
import yaml

from tests.compose.stack import FILE, Service, read, services
from tests.conftest import ROOT, require_program

pytestmark = pytest.mark.once
PINNED = re.compile(r"[a-z0-9./_-]+:v?\d+\.\d+\.\d+[a-z0-9.-]*")
OF_PROGRAMS = ("GF_", "OTEL_")
"""Variables that Grafana and the OpenTelemetry SDK read by themselves."""

SERVICES = services()
EACH = pytest.mark.parametrize("service", SERVICES.values(), ids=[*SERVICES])


@pytest.mark.backends
def test_composes_own_loader_accepts_the_file() -> None:
    program = require_program(str(ROOT / ".build/compose-spec"), remedy="make backends")
    command = [str(program), "-format", "json", str(FILE)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert set(json.loads(done.stdout)["services"]) == {"shop", "otelcol", "tempo", "loki", "prometheus", "grafana"}


@EACH
def test_every_image_is_pinned_to_a_release(service: Service) -> None:
    assert service.images
    assert [image for image in service.images if not PINNED.fullmatch(image)] == []


@pytest.mark.parametrize("image", ["grafana/loki", "grafana/loki:latest", "grafana/loki:3", "python:3.13-slim"])
def test_what_moves_is_not_pinned(image: str) -> None:
    assert not PINNED.fullmatch(image)


@EACH
def test_ports_are_published_on_loopback_only(service: Service) -> None:
    ports = service.given["ports"]
    assert ports
    assert [port for port in ports if not re.fullmatch(r"127\.0\.0\.1:\d+:\d+", port)] == []
    assert "network_mode" not in service.given


def test_no_port_is_published_twice() -> None:
    ports = [port.split(":")[1] for service in SERVICES.values() for port in service.given["ports"]]
    assert len(ports) == len(set(ports))


@EACH
def test_nobody_is_root_or_can_become_it(service: Service) -> None:
    user = service.given["user"].split(":")[0]
    assert int(user) > 0
    assert service.given["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service.given["security_opt"]
    assert "privileged" not in service.given
    if service.dockerfile:
        assert re.findall(r"^USER (\d+)", service.dockerfile, re.MULTILINE)[-1] == user


@EACH
def test_every_service_says_whether_it_is_healthy(service: Service) -> None:
    check = service.given["healthcheck"]
    assert check["test"][0] == "CMD"
    assert (check["interval"], check["timeout"], check["retries"]) == ("5s", "5s", 24)
    asked = urlsplit(re.findall(r"http://[^'\"]+", " ".join(check["test"]))[0])
    assert asked.hostname == "127.0.0.1"


@EACH
def test_what_is_mounted_is_in_this_repository_and_cannot_be_written(service: Service) -> None:
    ours = [mount for mount in service.mounts if mount.is_file_of_ours]
    assert [mount.source for mount in ours if not mount.path.exists()] == []
    assert [mount.source for mount in ours if mount.mode != "ro"] == []


def test_every_volume_is_declared_and_used_once() -> None:
    used = [mount.source for service in SERVICES.values() for mount in service.mounts if not mount.is_file_of_ours]
    assert sorted(used) == sorted(read()["volumes"])


@EACH
def test_every_variable_that_is_set_is_read_by_a_configuration_that_is_mounted(service: Service) -> None:
    texts = [mount.path.read_text() for mount in service.mounts if mount.path.is_file()]
    read_there = set(re.findall(r"\$\{(?:env:)?(\w+)", "\n".join(texts)))
    given = {name for name in service.environment if not name.startswith(OF_PROGRAMS)}
    assert given <= read_there
    # Configurations are for loopback: in a container each must be told to listen to the others, and where they are.
    assert {name for name in read_there if name.endswith(("_HOST", "_ENDPOINT", "_DATA", "_STORAGE"))} <= given


@EACH
def test_every_address_is_that_of_a_service(service: Service) -> None:
    addresses = [*service.environment.values(), *service.command]
    urls = [urlsplit(each) for each in addresses if each.startswith("http://")]
    for mount in service.mounts:
        if mount.path.is_file() and mount.path.suffix == ".yaml" and service.name == "prometheus":
            jobs = yaml.safe_load(mount.path.read_text())["scrape_configs"]
            urls += [
                urlsplit(f"//{each}") for job in jobs for group in job["static_configs"] for each in group["targets"]
            ]
    hosts = {url.hostname for url in urls} - {"127.0.0.1", "0.0.0.0"}
    assert hosts <= set(SERVICES)


def test_the_data_sources_of_grafana_are_services_with_that_port() -> None:
    sources = yaml.safe_load((ROOT / "grafana/provisioning/datasources/datasources.yaml").read_text())["datasources"]
    for source in sources:
        url = urlsplit(source["url"])
        assert f"127.0.0.1:{url.port}:{url.port}" in SERVICES[str(url.hostname)].given["ports"]


def test_the_dashboards_are_mounted_where_grafana_is_told_to_look() -> None:
    [provider] = yaml.safe_load((ROOT / "grafana/provisioning/dashboards/dashboards.yaml").read_text())["providers"]
    assert provider["options"]["path"] in {mount.target for mount in SERVICES["grafana"].mounts}


def test_there_is_no_secret_in_it() -> None:
    names = [name for service in SERVICES.values() for name in service.environment]
    assert [name for name in names if re.search("PASSWORD|SECRET|TOKEN|API_KEY", name)] == []
    assert "env_file" not in FILE.read_text()


def test_the_image_of_the_shop_gets_all_that_its_wheel_is_made_of_and_nothing_of_this_machine() -> None:
    ignored = (ROOT / "examples/shop.Dockerfile.dockerignore").read_text().splitlines()
    let_in = {line[1:] for line in ignored if line.startswith("!")}
    project = (ROOT / "pyproject.toml").read_text()
    sdist = re.search(r"\[tool\.hatch\.build\.targets\.sdist\]\ninclude = \[(.*?)\]", project)
    assert sdist is not None
    assert "*" in ignored
    assert let_in == {*re.findall(r'"/([^"]+)"', sdist[1]), "pyproject.toml"}
