"""The dashboards are what the generator makes, complete, and every link in them leads somewhere."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from grafana.generator.__main__ import dashboards
from otel_taskflow import TaskAdmin, TaskManager
from tests.grafana.queries import DASHBOARDS, VARIABLE, data_sources, links, panels, read

pytestmark = pytest.mark.once
BY_UID = {dashboard["uid"]: dashboard for dashboard in map(read, DASHBOARDS)}
OF_A_CLICK = re.compile(r"__(value\.raw|from|to|url_time_range|data\.fields\.\w+|field\.labels\.\w+)")
LOCAL = "${dashboard:raw}"
each_dashboard = pytest.mark.parametrize("dashboard", BY_UID.values(), ids=BY_UID.keys())


def variables(dashboard: dict[str, Any]) -> set[str]:
    return {variable["name"] for variable in dashboard["templating"]["list"]}


def all_links(dashboard: dict[str, Any]) -> list[str]:
    in_panels = [link["url"] for panel in panels(dashboard) for link in links(panel)]
    return [*(link["url"] for link in dashboard["links"]), *in_panels]


def test_each_committed_file_is_what_the_generator_makes() -> None:
    made = {dashboard.file: dashboard.text() for dashboard in dashboards()}
    assert {file.name: file.read_text() for file in DASHBOARDS} == made, "`make dashboards` writes them anew"


def test_the_dashboards_have_the_uids_that_others_link_to() -> None:
    assert set(BY_UID) == {"otel-taskflow-overview", "otel-taskflow-task", "otel-taskflow-health"}


@each_dashboard
def test_every_panel_says_what_it_shows_in_which_unit_and_what_an_empty_one_means(dashboard: dict[str, Any]) -> None:
    for panel in panels(dashboard):
        defaults = panel["fieldConfig"]["defaults"]
        texts = (panel["title"], panel["description"], defaults["unit"], defaults["noValue"])
        assert all(texts), panel["title"]
        assert panel["description"].endswith("."), panel["title"]


@each_dashboard
def test_no_two_panels_lie_over_each_other_and_none_leaves_the_grid(dashboard: dict[str, Any]) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24, panel["title"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & taken, panel["title"]
        taken |= cells
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(set(ids)) == len(ids)


@each_dashboard
def test_every_data_source_is_a_provisioned_one(dashboard: dict[str, Any]) -> None:
    known = {source["uid"]: source["type"] for source in data_sources()}
    panels_and_targets = [part for panel in panels(dashboard) for part in (panel, *panel["targets"])]
    for part in [*panels_and_targets, *dashboard["templating"]["list"]]:
        if "datasource" in part:
            assert known[part["datasource"]["uid"]] == part["datasource"]["type"]


@each_dashboard
def test_every_variable_of_a_query_is_one_of_the_dashboard_or_of_grafana(dashboard: dict[str, Any]) -> None:
    known = variables(dashboard) | {"__rate_interval", "__range", "__auto"}
    for panel in panels(dashboard):
        for target in panel["targets"]:
            used = {found[0] or found[1] for found in VARIABLE.findall(target.get("expr") or target["query"])}
            assert used <= known, panel["title"]


@each_dashboard
def test_every_link_to_a_dashboard_names_one_that_is_there_and_sets_variables_that_it_has(
    dashboard: dict[str, Any],
) -> None:
    to_dashboards = [urlsplit(url) for url in all_links(dashboard) if url.startswith("/d/")]
    assert len(to_dashboards) >= len(BY_UID) - 1
    for url in to_dashboards:
        target = BY_UID[url.path.removeprefix("/d/")]
        assert {name.removeprefix("var-") for name, _ in parse_qsl(url.query)} <= variables(target)


@each_dashboard
def test_every_variable_of_a_link_is_one_of_the_dashboard_or_of_the_click(dashboard: dict[str, Any]) -> None:
    for url in all_links(dashboard):
        used = {found[0] or found[1] for found in VARIABLE.findall(url)}
        assert [name for name in used - variables(dashboard) if not OF_A_CLICK.fullmatch(name)] == [], url


@each_dashboard
def test_every_field_that_a_link_uses_is_in_the_answer(dashboard: dict[str, Any]) -> None:
    for panel in panels(dashboard):
        kept = set(re.findall(r"\w+", " ".join(re.findall(r"by \(([^)]*)\)", str(panel["targets"])))))
        for link in links(panel):
            used = set(re.findall(r"__(?:data\.fields|field\.labels)\.(\w+)", link["url"]))
            assert used <= kept, panel["title"]


def test_each_page_of_the_app_s_dashboard_that_a_link_opens_is_there(tmp_path: Path) -> None:
    urls = {url for dashboard in BY_UID.values() for url in all_links(dashboard) if url.startswith(LOCAL)}
    assert len(urls) == 4
    app, tasks = FastAPI(), TaskManager(dir=str(tmp_path))
    TaskAdmin(app, tasks, insecure=True)
    with TestClient(app) as client:
        task_id = tasks.add_task(print, "seen")
        assert tasks.drain()
        for url in urls:
            page = url.replace(LOCAL, "/tasks").replace("${__value.raw}", task_id)
            assert client.get(page).status_code in {200, 503}, page  # 503: there, and not built
