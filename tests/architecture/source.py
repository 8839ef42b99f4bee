"""The project's own files, parsed once, for tests about their shape."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.conftest import ROOT

PACKAGE = "otel_taskflow"
NOT_OURS = {"node_modules", "static", "__pycache__"}
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Module:
    """One Python file: its dotted name, its path and what it says."""

    name: str
    path: Path
    text: str
    tree: ast.Module

    @property
    def layer(self) -> str:
        """The first name below the package: ``journal`` for ``otel_taskflow.journal.segment``."""
        return [*self.name.split("."), ""][1]

    def at(self, node: ast.AST) -> str:
        return f"{self.path.relative_to(ROOT)}:{getattr(node, 'lineno', 1)}"


@dataclass(frozen=True)
class Import:
    """One imported name: ``from a.b import c`` is module ``a.b`` and name ``c``; ``import a.b`` has no name."""

    module: str
    name: str
    where: str

    @property
    def parts(self) -> list[str]:
        return [*self.module.split("."), *([self.name] if self.name else [])]

    def is_below(self, package: str) -> bool:
        return f"{'.'.join(self.parts)}.".startswith(f"{package}.")


def files(*folders: str, endings: tuple[str, ...]) -> Iterator[Path]:
    """The files of these folders that people write."""
    for folder in folders:
        for where, inner, names in os.walk(ROOT / folder):
            inner[:] = sorted(name for name in inner if name not in NOT_OURS and not name.startswith("."))
            yield from (Path(where) / name for name in sorted(names) if name.endswith(endings))


@cache
def package_modules() -> tuple[Module, ...]:
    return tuple(_parse(path) for path in files(PACKAGE, endings=(".py",)))


@cache
def modules_of_tests() -> tuple[Module, ...]:
    return tuple(_parse(path) for path in files("tests", "examples", "grafana", endings=(".py",)))


def functions(module: Module) -> Iterator[Function]:
    return (node for node in ast.walk(module.tree) if isinstance(node, Function))


def imports(module: Module) -> Iterator[Import]:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, "", module.at(node)) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (Import(node.module or "", alias.name, module.at(node)) for alias in node.names)


def docstring(node: ast.AST) -> ast.Constant | None:
    """The docstring's node of a module, class or function."""
    body = getattr(node, "body", None)
    first = body[0] if isinstance(body, list) and body else None
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
        return first.value
    return None


def strings(module: Module) -> Iterator[ast.Constant]:
    """Every string in the code that is no docstring, the fixed parts of f-strings too."""
    documentation = {id(docstring(node)) for node in ast.walk(module.tree)}
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation:
            yield node


def length(function: Function) -> int:
    """Lines of a function, its docstring not counted: a long contract is no long function."""
    whole = (function.end_lineno or function.lineno) - function.lineno + 1
    text = docstring(function)
    return whole - ((text.end_lineno or text.lineno) - text.lineno + 1 if text else 0)


def _parse(path: Path) -> Module:
    text = path.read_text(encoding="utf-8")
    dotted = path.relative_to(ROOT).with_suffix("").parts
    return Module(".".join(part for part in dotted if part != "__init__"), path, text, ast.parse(text, str(path)))
