"""Log pages and the log as text."""

from __future__ import annotations

from typing import Any

import pytest

from tests.web.parts import BEARER, HOSTILE, Backend, attempt, client, get, line, make_app, task, write_retried_task

pytestmark = pytest.mark.anyio


async def test_log_pages_lead_through_all_lines(backend: Backend) -> None:
    write_retried_task(backend)
    seen, cursor = [], "0"
    async with client(make_app(backend), BEARER) as program:
        while cursor:
            page = (await program.get(f"/tasks/t1/logs?limit=4&after={cursor}")).json()
            seen += page["entries"]
            cursor = page["cursor"]
    assert [entry["seq"] for entry in seen] == [1, 2, 3, 4, 5, 6]
    assert {key: seen[2][key] for key in ("time", "level", "message", "extra", "attempt")} == {
        "time": "2026-01-01T12:00:03.000Z",
        "level": "info",
        "message": "line 3",
        "extra": {"n": 3},
        "attempt": 1,
    }


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("level=warning", [2, 4, 6]),
        ("level=debug", [1, 2, 3, 4, 5, 6]),
        ("attempt=2", [3, 4]),
        ("attempt=2&level=warning", [4]),
        ("after=3", [4, 5, 6]),
        ("after=3&level=warning&limit=1", [4]),
        ("after=5&attempt=1", []),
    ],
)
async def test_log_pages_can_be_filtered(backend: Backend, question: str, expected: list[int]) -> None:
    write_retried_task(backend)
    page = (await get(backend, f"/tasks/t1/logs?{question}")).json()
    assert [entry["seq"] for entry in page["entries"]] == expected


async def test_a_late_line_is_neither_lost_nor_doubled_when_reading_after_a_sequence(backend: Backend) -> None:
    write_retried_task(backend)
    backend.write(logs=[line(7, 0, late=True)])
    seen, cursor = [], "3"
    async with client(make_app(backend), BEARER) as program:
        while cursor:
            page = (await program.get(f"/tasks/t1/logs?limit=2&after={cursor}")).json()
            seen += [entry["seq"] for entry in page["entries"]]
            cursor = page["cursor"]
    assert sorted(seen) == [4, 5, 6, 7]


@pytest.mark.parametrize(
    "huge",
    [{"message": "x" * 200_000}, {"extra": {f"n{number}": ["x" * 2000, 1] for number in range(100)}}],
    ids=["message", "extras"],
)
async def test_a_page_of_huge_lines_ends_early_but_moves_on(backend: Backend, huge: dict[str, Any]) -> None:
    lines = [line(number, **huge) for number in range(1, 31)]
    backend.write([task(attempts=1)], [attempt(0, "t1")], lines)
    page = (await get(backend, "/tasks/t1/logs")).json()
    assert 1 < len(page["entries"]) < 30
    rest = (await get(backend, f"/tasks/t1/logs?after={page['cursor']}")).json()
    assert rest["entries"][0]["seq"] == page["entries"][-1]["seq"] + 1


async def test_a_page_of_many_lines_is_read_step_by_step(backend: Backend) -> None:
    lines = [line(number, number // 1600) for number in range(1, 3501)]
    backend.write([task(attempts=3)], [attempt(number) for number in range(3)], lines)
    for question, first, last, has_more in (
        ("limit=10000", 1, 3500, False),
        ("limit=3500", 1, 3500, False),
        ("limit=3499", 1, 3499, True),
        ("limit=2001&after=700", 701, 2701, True),
        ("limit=1000&attempt=2", 1600, 2599, True),
    ):
        page = (await get(backend, f"/tasks/t1/logs?{question}")).json()
        assert [entry["seq"] for entry in page["entries"]] == list(range(first, last + 1))
        assert (page["cursor"] is not None) is has_more


async def test_extras_do_not_shorten_the_log_of_a_detail_which_does_not_show_them(backend: Backend) -> None:
    lines = [line(number, extra={"text": "x" * 200_000}) for number in range(1, 31)]
    backend.write([task(attempts=1)], [attempt(0, "t1")], lines)
    assert len((await get(backend, "/tasks/t1")).json()["logs"]) == 30


@pytest.mark.parametrize("question", ["after=x", "after=1.2", "after=0.1.1", "level=loud", "limit=0", "attempt=0"])
async def test_a_wrong_question_about_logs_is_refused(backend: Backend, question: str) -> None:
    write_retried_task(backend)
    assert (await get(backend, f"/tasks/t1/logs?{question}")).status_code == 422


async def test_the_log_as_text_has_one_line_an_entry(backend: Backend) -> None:
    write_retried_task(backend)
    backend.write(logs=[line(7, 2, message="two\nlines\x1b[2J \u202e")])
    answer = await get(backend, "/tasks/t1/logs.txt")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    lines = answer.text.split("\n")
    assert (len(lines), lines[2]) == (10, "--- Retry 1 ---")
    assert lines[8] == "2026-01-01T12:00:07.000Z two\\nlines\\x1b[2J \\u202e"


async def test_lines_come_out_as_they_went_in(backend: Backend) -> None:
    backend.write([task(attempts=1)], [attempt(0, "t1")], [line(1, message=HOSTILE, extra={HOSTILE: [HOSTILE]})])
    answer = await get(backend, "/tasks/t1/logs")
    entry = answer.json()["entries"][0]
    assert (entry["message"], entry["extra"]) == (HOSTILE, {HOSTILE: [HOSTILE]})
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-content-type-options"] == "nosniff"
