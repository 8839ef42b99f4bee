"""compose.yaml as a value."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.conftest import ROOT

FILE = ROOT / "compose.yaml"


@dataclass(frozen=True)
class Mount:
    """``source`` is a path of this repository, or the name of a volume."""

    source: str
    target: str
    mode: str

    @property
    def is_file_of_ours(self) -> bool:
        return self.source.startswith("./")

    @property
    def path(self) -> Path:
        return ROOT / self.source


@dataclass(frozen=True)
class Service:
    """One service."""

    name: str
    given: Mapping[str, Any]

    @property
    def command(self) -> list[str]:
        return [str(each) for each in self.given.get("command", ())]

    @property
    def environment(self) -> dict[str, str]:
        return dict(self.given.get("environment", {}))

    @property
    def mounts(self) -> list[Mount]:
        split = [each.split(":") for each in self.given.get("volumes", ())]
        return [Mount(parts[0], parts[1], parts[2] if len(parts) > 2 else "rw") for parts in split]

    @property
    def dockerfile(self) -> str:
        """The text of its Dockerfile; empty if it is an image that somebody else made."""
        build = self.given.get("build", {})
        inline: str = build.get("dockerfile_inline", "")
        return inline or ((ROOT / build["dockerfile"]).read_text() if build else "")

    @property
    def images(self) -> list[str]:
        """The image, or those that its own is made of."""
        bases: list[str] = re.findall(r"^FROM (\S+)", self.dockerfile, re.MULTILINE)
        return bases or [str(self.given["image"])]

    def here(self, argument: str) -> str:
        """An argument with the paths of mounted files as they are in this repository."""
        for mount in self.mounts:
            if mount.is_file_of_ours:
                argument = argument.replace(mount.target, str(mount.path))
        return argument


def read() -> dict[str, Any]:
    made: dict[str, Any] = yaml.safe_load(FILE.read_text())
    return made


def services() -> dict[str, Service]:
    return {name: Service(name, given) for name, given in read()["services"].items()}
