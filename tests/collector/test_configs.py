"""Every file of collector-config is valid for the real collector, listens on loopback only, carries no secret and loses nothing."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from otel_taskflow.values.redaction import Redaction
from otel_taskflow.values.secret_keys import SECRET_WORDS, secret_word
from tests.collector.config_files import (
    COMBINATIONS,
    EXTENSION_OF_COUNTS,
    NOT_IN_THE_COLLECTOR,
    OVERLAYS,
    collector_files,
    content,
    counting_exactly,
    extensions_of,
    scalars,
    settings,
    with_defaults,
)
from tests.collector.process import (
    CONFIG,
    EXACT_COUNTS,
    config_arguments,
    require_otelcol,
    running_collector,
    variables_of,
)
from tests.conftest import ROOT

pytestmark = pytest.mark.once
FOREIGN = {"alloy.alloy", "cloudwatch-agent.json", "datadog-agent.yaml", "datadog-pipeline.json"}
"""Files for other programs: tests/collector/test_foreign_files.py looks into them."""
NETWORK = ("otlp_http", "otlp_grpc", "datadog")
ONE_BY_ONE, TOTALS = TO_ITSELF = ("otlp_http/one_by_one", "otlp_http/totals")
"""From the collector to the same collector."""
ADDRESSES = {"endpoint", "host", "listen_address", "address"}

collector_file = pytest.mark.parametrize("file", collector_files(), ids=lambda file: str(file.relative_to(CONFIG)))
RUNNABLE = [each for each in COMBINATIONS if each not in NOT_IN_THE_COLLECTOR]
LISTING_EXTENSIONS = [each for each in RUNNABLE if extensions_of(each)]
runnable = pytest.mark.parametrize(
    "overlays", [*((each,) for each in RUNNABLE), *map(counting_exactly, RUNNABLE)], ids="+".join
)
with_and_without_exact_counts = pytest.mark.parametrize("before", [(), (EXACT_COUNTS,)], ids=["base", "exact"])


def validate(folder: Path, *overlays: str) -> subprocess.CompletedProcess[str]:
    command = [str(require_otelcol()), "validate", *config_arguments(overlays)]
    environment = {**os.environ, **settings(folder)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)


def test_no_file_is_without_a_check() -> None:
    others = {CONFIG / "README.md", CONFIG / "builder.yaml", *(CONFIG / "backends").glob("*.yaml")}
    files = {file for file in CONFIG.rglob("*") if file.is_file()} - others - set(collector_files())
    assert {str(file.relative_to(CONFIG / "files")) for file in files} == FOREIGN


@pytest.mark.collector
@with_and_without_exact_counts
def test_the_base_is_valid_without_an_overlay(before: tuple[str, ...], tmp_path: Path) -> None:
    done = validate(tmp_path, *before)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.collector
@runnable
def test_base_and_overlay_are_valid_together(overlays: tuple[str, ...], tmp_path: Path) -> None:
    done = validate(tmp_path, *overlays)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.collector
@with_and_without_exact_counts
@pytest.mark.parametrize("overlay", NOT_IN_THE_COLLECTOR)
def test_an_overlay_with_parts_that_are_not_built_is_refused_for_nothing_else(
    overlay: str, before: tuple[str, ...], tmp_path: Path
) -> None:
    complaints = [line for line in validate(tmp_path, *before, overlay).stderr.splitlines() if line.startswith("'")]
    assert len(complaints) == len(NOT_IN_THE_COLLECTOR[overlay])
    for complaint, expected in zip(complaints, NOT_IN_THE_COLLECTOR[overlay], strict=True):
        assert complaint.startswith(expected)


@pytest.mark.collector
@runnable
def test_a_start_prints_no_warning_and_no_deprecated_name(overlays: tuple[str, ...], tmp_path: Path) -> None:
    with running_collector(tmp_path, *overlays, settings=settings(tmp_path)) as collector:
        collector.stop()
        lines = collector.log.read_text().splitlines()
    assert [line for line in lines if "\twarn\t" in line or "\terror\t" in line or "deprecated" in line.lower()] == []


@pytest.mark.collector
@pytest.mark.parametrize("overlay", LISTING_EXTENSIONS)
def test_exact_counts_do_not_start_with_a_list_of_extensions_that_leaves_out_theirs(
    overlay: str, tmp_path: Path
) -> None:
    collector = running_collector(tmp_path, EXACT_COUNTS, overlay, settings=settings(tmp_path))
    with pytest.raises(ChildProcessError, match='"otlp_http/totals" exporter: no storage client extension'), collector:
        pass


COMBINATIONS_OF_THE_DOCS = [
    (
        "redaction",
        "tail-sampling",
        "yaml:service::pipelines::traces::processors: [memory_limiter, transform/keys, redaction/forms, tail_sampling]",
    ),
    (
        "grafana-cloud",
        "cloudwatch",
        "yaml:service::extensions: [health_check, file_storage, basicauth/grafana_cloud, sigv4auth/logs, sigv4auth/xray]",
        "yaml:service::pipelines::logs::exporters: [otlp_http/grafana_cloud, otlp_http/cloudwatch_logs]",
        "yaml:service::pipelines::traces::exporters: [otlp_http/grafana_cloud, otlp_http/xray]",
    ),
    (
        "grafana-stack",
        "datadog-agent",
        "yaml:service::pipelines::logs::exporters: [otlp_http/loki, otlp_http/datadog_agent]",
        "yaml:service::pipelines::traces::exporters: [otlp_http/tempo, otlp_http/datadog_agent]",
    ),
]


@pytest.mark.collector
@pytest.mark.parametrize("overlays", COMBINATIONS_OF_THE_DOCS, ids="+".join)
def test_a_combination_of_the_docs_starts(overlays: tuple[str, ...], tmp_path: Path) -> None:
    with running_collector(tmp_path, *overlays, settings=settings(tmp_path)) as collector:
        assert collector.is_ready()


def test_the_docs_show_the_combinations() -> None:
    page = (ROOT / "docs" / "how-to" / "collector.md").read_text()
    lists = [combination[2] for combination in COMBINATIONS_OF_THE_DOCS]
    lists += [counting_exactly(overlay)[-1] for overlay in LISTING_EXTENSIONS]
    assert [each for each in lists if each not in page] == []


def test_every_variable_without_a_default_is_known(tmp_path: Path) -> None:
    assert variables_of(tuple(COMBINATIONS)) <= settings(tmp_path).keys()


@collector_file
def test_it_listens_on_loopback_only_unless_told_otherwise(file: Path) -> None:
    config = content(file)
    listening = {part: config.get(part, {}) for part in ("receivers", "extensions")}
    listening["telemetry"] = config.get("service", {}).get("telemetry", {})
    addresses = [with_defaults(value) for path, value in scalars(listening) if path[-1] in ADDRESSES]
    assert [each for each in addresses if each.rsplit(":", 1)[0] != "127.0.0.1"] == []
    assert addresses or file.name != "base.yaml"


def is_secret(path: tuple[str, ...]) -> bool:
    """Whether the last two keys name a secret (``api.key``); an authenticator is a name of one."""
    return path[-1] != "authenticator" and secret_word("_".join(path[-2:]), SECRET_WORDS) is not None


@collector_file
def test_secrets_come_from_the_environment_and_have_no_default(file: Path) -> None:
    secrets = [str(value) for path, value in scalars(content(file)) if is_secret(path)]
    assert [each for each in secrets if not (each.startswith("${env:") and ":-" not in each and each[-1] == "}")] == []
    assert secrets or file.stem not in ("grafana-cloud", "datadog")


@pytest.mark.parametrize("file", sorted(CONFIG.rglob("*.*")), ids=lambda file: file.name)
def test_no_file_has_a_text_that_looks_like_a_secret(file: Path) -> None:
    text = file.read_text()
    assert Redaction.with_rules().text(text) == text


def network_exporters() -> list[Any]:
    found = [
        pytest.param(name, exporter, id=f"{file.stem}:{name}")
        for file in collector_files()
        for name, exporter in (content(file).get("exporters") or {}).items()
        if name.split("/")[0] in NETWORK and name != ONE_BY_ONE
    ]
    assert found
    return found


@pytest.mark.parametrize(("name", "exporter"), network_exporters())
def test_what_goes_over_the_network_waits_on_disk_in_batches_and_is_tried_for_ever(
    name: str, exporter: dict[str, Any]
) -> None:
    queue, retry = exporter["sending_queue"], exporter["retry_on_failure"]
    assert queue["storage"] == (EXTENSION_OF_COUNTS if name == TOTALS else "file_storage")
    assert queue["queue_size"] > 0
    assert queue["sizer"] in ("items", "bytes")
    assert 0 < queue["batch"]["min_size"] <= queue["batch"]["max_size"]
    assert queue["batch"]["flush_timeout"]
    assert retry["max_elapsed_time"] == "0s"
    assert retry.get("enabled", True)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_a_list_of_extensions_has_those_of_the_base(overlay: str) -> None:
    base = content(CONFIG / "base.yaml")["service"]["extensions"]
    assert set(extensions_of(overlay) or base) >= set(base)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_an_overlay_leaves_to_the_files_before_it_where_traces_and_metrics_come_from(overlay: str) -> None:
    pipelines = content(CONFIG / "overlays" / f"{overlay}.yaml").get("service", {}).get("pipelines", {})
    assert [name for name in ("traces", "metrics") if "receivers" in pipelines.get(name, {})] == []


@collector_file
def test_every_exporter_is_one_of_those_that_are_checked(file: Path) -> None:
    kinds = {name.split("/")[0] for name in content(file).get("exporters") or {}}
    assert kinds <= {*NETWORK, "debug", "file"}


@collector_file
def test_addresses_of_destinations_come_from_the_environment(file: Path) -> None:
    exporters = {name: each for name, each in (content(file).get("exporters") or {}).items() if name not in TO_ITSELF}
    addresses = [str(value) for path, value in scalars(exporters) if path[-1].endswith("endpoint")]
    assert [each for each in addresses if not each.startswith("${env:")] == []
