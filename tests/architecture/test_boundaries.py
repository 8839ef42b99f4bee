"""Who may use what, where import-linter cannot see it: parts of foreign packages, private names, the front door."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from tests.architecture.source import PACKAGE, Module, imports, package_modules, strings
from tests.conftest import ROOT

pytestmark = pytest.mark.once

# What its owners publish under a name with an underscore.
PUBLISHED = {
    "__future__",
    "opentelemetry._logs",  # the logs API
    "opentelemetry.sdk._logs",
    "opentelemetry.exporter.otlp.proto.common._log_encoder",
    "opentelemetry.exporter.otlp.proto.http._log_exporter",
    "opentelemetry.context._SUPPRESS_INSTRUMENTATION_KEY",  # how instrumentations are kept quiet
}
# The public methods of a named tuple.
OF_NAMED_TUPLES = {"_asdict", "_fields", "_replace"}
KNOWS_THE_SDK = {"setup", "telemetry", "testing"}
# An app like a user's, and what runs before or above everything.
USES_THE_FRONT_DOOR = {"", "demo", "__main__", "_pytest_plugin"}


def test_only_telemetry_setup_and_testing_know_the_sdk_and_its_exporters() -> None:
    found = [
        f"{each.where}: {'.'.join(each.parts)}"
        for module in package_modules()
        if module.layer not in KNOWS_THE_SDK
        for each in imports(module)
        if each.is_below("opentelemetry.sdk") or each.is_below("opentelemetry.exporter")
    ]
    assert found == []


def test_no_module_imports_a_private_name_of_another() -> None:
    found = [
        f"{each.where}: {'.'.join(each.parts)}"
        for module in package_modules()
        for each in imports(module)
        if any(is_private(part) for part in each.parts) and not any(each.is_below(name) for name in PUBLISHED)
    ]
    assert found == []


def test_no_module_reads_a_private_attribute_that_it_does_not_define() -> None:
    found = [
        f"{module.at(node)}: .{node.attr}"
        for module in package_modules()
        for node in foreign_private_attributes(module)
    ]
    assert found == []


def test_no_module_enters_by_the_front_door() -> None:
    own = {path.stem for path in (ROOT / PACKAGE).iterdir()}
    found = [
        f"{each.where}: {each.module} {each.name}"
        for module in package_modules()
        if module.layer not in USES_THE_FRONT_DOOR
        for each in imports(module)
        if each.module == PACKAGE and each.name not in own
    ]
    assert found == []


def is_private(name: str) -> bool:
    return name.startswith("_") and not (name.startswith("__") and name.endswith("__"))


def foreign_private_attributes(module: Module) -> Iterator[ast.Attribute]:
    own = OF_NAMED_TUPLES | set(defined_names(module))
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Attribute) and is_private(node.attr) and node.attr not in own:
            yield node


def defined_names(module: Module) -> Iterator[str]:
    """Names that the module binds: functions, classes, variables, attributes set on self or cls, slots."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and is_own(node.value):
            yield node.attr
    yield from (str(node.value) for node in strings(module))


def is_own(value: ast.expr) -> bool:
    return isinstance(value, ast.Name) and value.id in {"self", "cls"}
