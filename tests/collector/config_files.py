"""The files of collector-config: which there are, what is in them, and what they need from the environment."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.collector.process import CONFIG, EXACT_COUNTS

OVERLAYS = sorted(file.stem for file in (CONFIG / "overlays").glob("*.yaml"))
READING_FILES = "../files/otelcol"
"""The configuration that reads the file of FileLogger, as an overlay."""
COMBINATIONS = [*OVERLAYS, READING_FILES]
EXTENSION_OF_COUNTS = "file_storage/counts"

NOT_IN_THE_COLLECTOR = {"datadog": ("'exporters' unknown type: \"datadog\"", "'connectors' unknown type: \"datadog\"")}
"""Overlays whose components builder.yaml does not have, and all that is said against them for it."""

AWS_KEY = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"}

_DEFAULT = re.compile(r"\$\{env:\w+:-((?:[^{}]|\{[^{}]*\})*)\}")


def settings(folder: Path, address: str = "http://127.0.0.1:9") -> dict[str, str]:
    """A value for each variable that has no default, and AWS credentials; ``address`` is where data goes."""
    return {
        **AWS_KEY,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_REGION": "eu-central-1",
        "DD_API_KEY": "an-api-key",
        "GRAFANA_CLOUD_API_TOKEN": "a-token",
        "GRAFANA_CLOUD_ENDPOINT": f"{address}/otlp",
        "GRAFANA_CLOUD_INSTANCE_ID": "123456",
        "OTELCOL_FILE": str(folder / "otlp.jsonl"),
        "OTELCOL_LOG_FILE": str(folder / "tasks.jsonl"),
        "OTELCOL_STORAGE": str(folder / "otelcol-queues"),
        "OTEL_SERVICE_NAME": "shop",
        "OTLP_ENDPOINT": address,
    }


def collector_files() -> list[Path]:
    """All files that the collector itself reads."""
    own = [CONFIG / "base.yaml", CONFIG / "exact-counts.yaml", CONFIG / "files" / "otelcol.yaml"]
    return [*own, *sorted((CONFIG / "overlays").glob("*.yaml"))]


def extensions_of(overlay: str) -> list[str]:
    """The list of extensions that this overlay puts in the place of the base's, if it does."""
    listed: list[str] = content(CONFIG / "overlays" / f"{overlay}.yaml").get("service", {}).get("extensions", [])
    return listed


def counting_exactly(overlay: str) -> tuple[str, ...]:
    """The overlay with exact counts before it and, if it lists extensions, that list once more."""
    listed = extensions_of(overlay)
    again = f"yaml:service::extensions: [{', '.join([*listed, EXTENSION_OF_COUNTS])}]"
    return (EXACT_COUNTS, overlay, again) if listed else (EXACT_COUNTS, overlay)


def content(file: Path) -> dict[str, Any]:
    """What is in a YAML file."""
    loaded = yaml.safe_load(file.read_text())
    assert isinstance(loaded, dict), f"{file} is no mapping"
    return loaded


def scalars(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Each value that is no container, with the keys that lead to it."""
    if isinstance(value, Mapping):
        for key, each in value.items():
            yield from scalars(each, (*path, str(key)))
    elif isinstance(value, list):
        for each in value:
            yield from scalars(each, path)
    else:
        yield path, value


def with_defaults(text: object) -> str:
    """A value where no variable is set: each is its default."""
    return _DEFAULT.sub(lambda found: with_defaults(found[1]), str(text))
