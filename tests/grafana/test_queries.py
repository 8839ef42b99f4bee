"""Each query is parsed by the grammar that Grafana's own editor of its language uses."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.conftest import require_program
from tests.grafana.queries import Query, all_queries

pytestmark = pytest.mark.once
GRAMMAR = Path(__file__).parent / "grammar"
NO_NODE = "Node and npm install the grammars of tests/grafana/grammar"


@pytest.fixture(scope="module", autouse=True)
def grammars() -> None:
    """The grammars, installed as the lock file says."""
    npm = require_program("npm", remedy=NO_NODE)
    if not (GRAMMAR / "node_modules" / ".package-lock.json").exists():
        subprocess.run([npm, "ci", "--no-audit", "--no-fund"], cwd=GRAMMAR, check=True, capture_output=True)


def errors_of(queries: list[Query]) -> dict[str, list[str]]:
    """What the grammars cannot read, by query."""
    node = require_program("node", remedy=NO_NODE)
    asked = json.dumps([{"language": query.language, "query": query.text} for query in queries])
    answer = subprocess.run([node, "parse.mjs"], cwd=GRAMMAR, input=asked, check=True, capture_output=True, text=True)
    return {str(query): errors for query, errors in zip(queries, json.loads(answer.stdout), strict=True) if errors}


def test_every_query_is_one_of_its_language() -> None:
    queries = list(all_queries())
    assert {query.language for query in queries} == {"promql", "logql", "traceql"}
    assert len(queries) > 80
    assert errors_of(queries) == {}


@pytest.mark.parametrize(
    "query",
    [
        Query("promql", "sum(rate(attempts_total[5m])", "no closing bracket"),
        Query("promql", "rate(attempts_total[$__rate_interval])", "a variable that nobody replaced"),
        Query("logql", '{service_name="shop"} | severity_text=', "no value"),
        Query("traceql", "{ status = error && }", "half a condition"),
    ],
    ids=lambda query: query.where,
)
def test_a_grammar_refuses_what_is_none(query: Query) -> None:
    assert list(errors_of([query])) == [str(query)]
