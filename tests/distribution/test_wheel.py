"""What people install, not the tree we work in: the wheel, in an environment of its own, without Node."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.conftest import ROOT, require

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600), pytest.mark.once]
STATIC = "otel_taskflow/web/static/"
PRINT_STATIC_FILES = """
from importlib.resources import files
print(*sorted(file.name for file in files("otel_taskflow.web").joinpath("static").iterdir()), sep="\\n")
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    require((ROOT / "otel_taskflow/web/ui/package.json").is_file(), "the dashboard's sources are not in this tree")
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), str(ROOT))
    (built,) = folder.glob("otel_taskflow-*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of programs of a fresh environment into which only the wheel and its dependencies were installed."""
    folder = tmp_path_factory.mktemp("environment")
    run(sys.executable, "-m", "venv", str(folder))
    programs = folder / "bin"
    run(str(programs / "python"), "-m", "pip", "install", "--quiet", str(wheel), environment=without_node(programs))
    return programs


def test_the_wheel_carries_the_dashboard_and_the_types_but_no_sources_of_either(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert any(name.startswith(STATIC) and name.endswith(".js") for name in names)
    assert any(name.startswith(STATIC) and name.endswith(".css") for name in names)
    assert "otel_taskflow/py.typed" in names
    assert [name for name in names if "node_modules" in name or name.endswith((".ts", ".tsx"))] == []
    assert {name.split("/")[0].split("-")[0] for name in names} == {"otel_taskflow"}


def test_every_sql_file_is_in_the_wheel(wheel: Path) -> None:
    here = {path.relative_to(ROOT).as_posix() for path in (ROOT / "otel_taskflow").rglob("*.sql")}
    assert here <= set(zipfile.ZipFile(wheel).namelist())


def test_an_install_without_node_has_the_dashboard(installed: Path) -> None:
    # -I: nothing of the current folder, so it is the installed package that answers.
    names = run(str(installed / "python"), "-I", "-c", PRINT_STATIC_FILES, environment=without_node(installed))
    assert "manifest.json" in names.splitlines()


def test_an_install_has_the_command_line_and_the_public_names(installed: Path) -> None:
    environment = without_node(installed)
    assert run(str(installed / "otel-taskflow"), "--version", environment=environment).strip()
    star = "from otel_taskflow import *; print(TaskManager.__name__, TaskAdmin.__name__)"
    assert run(str(installed / "python"), "-I", "-c", star, environment=environment) == "TaskManager TaskAdmin\n"


def without_node(programs: Path) -> dict[str, str]:
    return {**os.environ, "PATH": str(programs)}


def run(*command: str, environment: Mapping[str, str] | None = None) -> str:
    """The output of a program that must succeed; its complaint is the failure's message."""
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
    return done.stdout
