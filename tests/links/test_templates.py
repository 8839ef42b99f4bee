"""Templates of one's own: what they may hold, where they are shown, and that a value never becomes more than a value."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_taskflow import ConfigurationError
from otel_taskflow.links import PLACEHOLDERS, Place, read_links
from otel_taskflow.model import LogRow, SpanIdentity, TaskRow, TaskStatus
from otel_taskflow.web.deep_links import DeepLinks
from tests.links.examples import FILE, NOON, examples

ANY_TEXT = st.text(st.characters(codec=None, exclude_categories=()))


def task(name: str = "send_email", **given: Any) -> TaskRow:
    return TaskRow("t1", name, TaskStatus.SUCCESS, NOON, ended_at=NOON, **given)


@pytest.mark.parametrize(
    ("template", "place"),
    [
        ("https://wiki.example.com/", Place.TASK),
        ("https://wiki.example.com/{task_name}?{from}-{to}", Place.TASK),
        ("https://t.example.com/{trace_id}", Place.SPAN),
        ("https://t.example.com/{task_id}/{span_id_decimal}", Place.SPAN),
        ("https://t.example.com/{trace_id}/{attempt_number}", Place.ATTEMPT),
        ("https://t.example.com/{line}/{attempt_number}/{trace_id}", Place.LINE),
    ],
)
def test_the_most_particular_placeholder_decides_where_a_link_is_shown(template: str, place: Place) -> None:
    [link] = read_links({"Ours": template})
    assert link.place is place


@pytest.mark.parametrize(
    ("template", "why"),
    [
        ("https://x.example.com/{traceid}", r"\{traceid\} is no placeholder; there are task_id, .* line_uid"),
        ("https://x.example.com/{}", r"\{\} is no placeholder"),
        ("https://x.example.com/{trace_id!r}", "is no placeholder"),
        ("https://x.example.com/{trace_id", "must be written as %7B and %7D"),
        ("https://x.example.com/{{trace_id}}", "must be written as %7B and %7D"),
        ("javascript:alert(1)", "must begin with http:// or https://"),
        ("JavaScript://x.example.com/%0aalert(1)", "must begin with http:// or https://"),
        (" https://x.example.com/", "must begin with http:// or https://"),
        ("data:text/html,x", "must begin with http:// or https://"),
        ("//x.example.com/", "must begin with http:// or https://"),
        ("/relative/{task_id}", "must begin with http:// or https://"),
        ("{task_name}", "must begin with http:// or https://"),
        ("https://{task_name}/", "a placeholder cannot stand in the host"),
        ("https://x.example.com:{line}/", "a placeholder cannot stand in the host"),
        ("https://", "it is no URL"),
        ("https://x.example.com:99999/", "it is no URL"),
        ("https://x.example.com/a b", "it is no URL; encode what a URL cannot hold"),
        ('https://x.example.com/"', "it is no URL"),
        ("https://x.example.com/\n", "it is no URL"),
        ("https://[::1/", "it is no URL"),
        (b"https://x.example.com/", "must be a text"),
        (None, "must be a text"),
    ],
)
def test_a_template_that_cannot_be_linked_to_is_refused_with_its_name_and_the_reason(template: Any, why: str) -> None:
    with pytest.raises(ConfigurationError, match=why) as refused:
        read_links({"Ours": template})
    assert str(refused.value).startswith("TaskAdmin(links={'Ours': ")


def test_a_password_in_a_template_is_refused_and_not_repeated() -> None:
    with pytest.raises(ConfigurationError, match="everybody who sees the page sees it") as refused:
        read_links({"Ours": "https://ada:engine@x.example.com/"})
    assert "engine" not in str(refused.value)


@pytest.mark.parametrize("name", ["", "  ", "x" * 61, "a\nb", 7, None])
def test_a_link_needs_a_name_that_can_be_shown(name: Any) -> None:
    with pytest.raises(ConfigurationError, match="1 to 60 characters"):
        read_links({name: "https://x.example.com/"})


@pytest.mark.parametrize("given", ["https://x.example.com/", ["https://x.example.com/"], 7])
def test_links_are_a_mapping(given: Any) -> None:
    with pytest.raises(ConfigurationError, match="must be a mapping of names to URL templates"):
        read_links(given)


@given(ANY_TEXT)
def test_whatever_a_task_is_called_its_link_reads_back_as_that(name: str) -> None:
    template = "https://x.example.com/a/{task_name}/b?q={task_name}&id={task_id}#{task_name}"
    [url] = DeepLinks(read_links({"Ours": template})).of_task(task(name), NOON).values()
    shown = name.encode("utf-8", "replace").decode()
    parts = urlsplit(url)
    assert (parts.scheme, parts.netloc) == ("https", "x.example.com")
    assert [unquote(each) for each in parts.path.split("/")] == ["", "a", shown, "b"]
    assert unquote(parts.fragment) == shown
    query = parse_qs(parts.query, keep_blank_values=True, strict_parsing=True)
    assert query == {"q": [shown], "id": ["t1"]}


@given(st.integers(1, 2**64 - 1), st.integers(1, 2**128 - 1))
def test_ids_are_told_in_hexadecimal_and_the_span_also_as_a_number(span: int, trace: int) -> None:
    row = task(span=SpanIdentity(f"{trace:032x}", f"{span:016x}"))
    links = DeepLinks(read_links({"Ours": "https://x.example.com/{trace_id}/{span_id}/{span_id_decimal}"}))
    assert links.of_task(row, NOON) == {"Ours": f"https://x.example.com/{trace:032x}/{span:016x}/{span}"}


def test_without_a_span_there_is_no_link_to_it() -> None:
    links = DeepLinks(
        read_links({"Trace": "https://x/{trace_id}", "Line": "https://x/{trace_id}/{line}", "Wiki": "https://x/"})
    )
    assert [*links.of_task(task(), NOON)] == ["Wiki"]
    assert links.of_request(task(span=SpanIdentity("a" * 32, "b" * 16)), NOON) == {}
    assert links.of_line(task(), None, LogRow("t1", 0, 1, NOON, "info", "x")) == {}


def test_every_placeholder_has_a_value_at_a_line() -> None:
    template = "https://x.example.com/" + "/".join(f"{{{each}}}" for each in PLACEHOLDERS)
    links = DeepLinks(read_links({"All": template}))
    assert "All" in links.of_line(task(), SpanIdentity("a" * 32, "b" * 16), LogRow("t1", 0, 1, NOON, "info", "x"))


def test_the_page_is_tested_with_what_the_server_makes() -> None:
    assert FILE.read_text() == examples(), "python -m tests.links.examples writes it anew"
