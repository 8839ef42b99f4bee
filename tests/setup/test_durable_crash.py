"""What was ended when a process died arrives: after a restart, from a neighbour, over an outage, from a forked child."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from otel_taskflow.testing.otlp_receiver import OTLPReceiver, Reply
from tests.setup.programs import FLUSH, START, different_versions, journals, run, start

ENDLESS = (
    START
    + """
number = 0
while True:
    os.write(1, (end_span(f"span {number}", events=5) + "\\n").encode())
    number += 1
"""
)
BATCH = (
    START
    + """
print(*[end_span(f"span {number}") for number in range(int(sys.argv[3]))])
sys.stdout.flush()
"""
)


def killed_after(process_lines: int, *args: object) -> list[str]:
    """Ids of the spans that the program had ended, as it says itself, when it was killed."""
    process = start(ENDLESS, *args)
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(process_lines)]
    process.kill()
    rest, err = process.communicate(timeout=20)
    assert lines[-1], err
    ids = "".join([*lines, rest]).split("\n")
    return [each for each in ids if len(each) == 16]


@pytest.mark.parametrize("lines", [1, 150, 4000])
def test_every_span_that_had_ended_when_the_process_was_killed_arrives_after_the_restart(
    tmp_path: Path, lines: int
) -> None:
    with OTLPReceiver() as receiver:
        ended = killed_after(lines, receiver.url, tmp_path)
        assert run(FLUSH, receiver.url, tmp_path) == "True"
        assert set(ended) - set(receiver.span_ids) == set()
        assert different_versions(receiver.spans) == []
        assert {each.attributes[0].value.string_value for each in receiver.spans} == {"value"}
    assert journals(tmp_path) == []


def test_what_a_killed_process_left_is_taken_by_a_neighbour_that_lives(tmp_path: Path) -> None:
    with OTLPReceiver() as receiver:
        neighbour = start(START + "print('up', flush=True)\nsys.stdin.read()", receiver.url, tmp_path)
        try:
            assert neighbour.stdout is not None
            assert neighbour.stdout.readline() == "up\n"
            ended = killed_after(50, receiver.url, tmp_path)
            assert receiver.wait_for(lambda it: set(ended) <= set(it.span_ids), timeout=10)
        finally:
            neighbour.kill()
            neighbour.communicate()


@pytest.mark.failure("E11")
def test_an_outage_over_two_restarts_loses_nothing(tmp_path: Path) -> None:
    receiver = OTLPReceiver()
    receiver.start()
    receiver.stop()
    ended = killed_after(100, receiver.url, tmp_path)
    ended += run(BATCH + "provider.shutdown()", receiver.url, tmp_path, 50).split()
    ended += killed_after(100, receiver.url, tmp_path)
    assert receiver.spans == []
    receiver.start()
    try:
        assert run(FLUSH, receiver.url, tmp_path) == "True"
        assert set(ended) - set(receiver.span_ids) == set()
        assert different_versions(receiver.spans) == []
    finally:
        receiver.stop()


def test_a_collector_that_comes_back_is_found_without_a_restart(tmp_path: Path) -> None:
    receiver = OTLPReceiver()
    receiver.start()
    receiver.stop()
    text = (
        BATCH + "print(provider.force_flush(300), flush=True)\nsys.stdin.readline()\nprint(provider.force_flush(20000))"
    )
    process = start(text, receiver.url, tmp_path, 20)
    try:
        assert process.stdout is not None
        ended = process.stdout.readline().split()
        assert process.stdout.readline() == "False\n"
        receiver.start()
        assert receiver.wait_for(lambda it: set(ended) <= set(it.span_ids), timeout=20)
    finally:
        process.kill()
        process.communicate()
        receiver.stop()


FORKING = (
    START
    + """
ended = [end_span("parent before")]
reading, writing = os.pipe()
child = os.fork()
if child == 0:
    os.write(writing, end_span("child").encode())
    os._exit(0)
os.waitpid(child, 0)
ended += [os.read(reading, 16).decode(), end_span("parent after")]
print(*ended)
print(provider.force_flush(20000))
provider.shutdown()
"""
)


def test_a_forked_child_that_ends_without_a_word_has_its_spans_delivered_by_its_parent(tmp_path: Path) -> None:
    with OTLPReceiver() as receiver:
        ended, flushed = run(FORKING, receiver.url, tmp_path).split("\n")
        assert flushed == "True"
        assert receiver.wait_for(lambda it: set(ended.split()) <= set(it.span_ids), timeout=0.1) or run(
            FLUSH, receiver.url, tmp_path
        )
        assert sorted(receiver.span_ids) == sorted(ended.split())


WORKERS = (
    START
    + """
import threading
def work(name):
    for number in range(200):
        os.write(1, (end_span(f"{name} {number}") + "\\n").encode())
busy = threading.Thread(target=work, args=("busy",))
busy.start()
children = []
for number in range(3):
    child = os.fork()
    if child == 0:
        work(f"child {number}")
        done = provider.force_flush(20000)
        provider.shutdown()
        os._exit(0 if done else 1)
    children.append(child)
busy.join()
codes = [os.waitpid(child, 0)[1] for child in children]
print("codes", codes, provider.force_flush(20000))
provider.shutdown()
"""
)


def test_forked_children_deliver_what_they_end_while_their_parent_goes_on(tmp_path: Path) -> None:
    with OTLPReceiver() as receiver:
        lines = run(WORKERS, receiver.url, tmp_path).split("\n")
        ended = [line for line in lines if len(line) == 16]
        assert "codes [0, 0, 0] True" in lines
        assert len(ended) == 800
        assert set(ended) == set(receiver.span_ids)
        assert different_versions(receiver.spans) == []
    assert journals(tmp_path) == []


THREADS = (
    START
    + """
import threading
if os.fork() == 0:
    gate = threading.Barrier(8)
    def work():
        gate.wait()
        os.write(1, (end_span("first") + "\\n").encode())
    threads = [threading.Thread(target=work) for _ in range(8)]
    for each in threads: each.start()
    for each in threads: each.join()
    done = provider.force_flush(20000)
    provider.shutdown()
    os._exit(0 if done else 1)
print("code", os.wait()[1])
"""
)


def test_threads_of_a_forked_child_that_begin_at_once_share_its_buffer(tmp_path: Path) -> None:
    with OTLPReceiver() as receiver:
        lines = run(THREADS, receiver.url, tmp_path).split("\n")
        assert lines[-1] == "code 0"
        assert sorted(receiver.span_ids) == sorted(lines[:-1])
        assert len(lines) == 9


def test_a_forked_child_that_cannot_have_a_buffer_goes_on_and_says_what_it_lost(tmp_path: Path) -> None:
    text = (
        START
        + """
locks = [f"{folder}/spool/otlp.{signal}.receiver" for signal in ("traces", "logs")]
while not all(map(os.path.exists, locks)):  # or who opens it would make the folder anew
    time.sleep(0.01)
os.rename(folder, folder + ".away")
open(folder, "w").close()
if os.fork() == 0:
    end_span("lost")
    os._exit(0 if (provider.force_flush(1000), provider.force_flush(1000)) == (False, True) else 1)
print(os.wait()[1])
os._exit(0)
"""
    )
    with OTLPReceiver() as receiver:
        assert run(text, receiver.url, tmp_path / "buffer") == "0"
        assert receiver.spans == []


@pytest.mark.parametrize("state", ["absent", "hangs", "fails"])
def test_the_end_of_a_process_keeps_its_deadline_and_what_is_left_arrives_later(tmp_path: Path, state: str) -> None:
    text = (
        BATCH + "begun = time.monotonic()\nprovider.shutdown()\nprint(time.monotonic() - begun, processor.is_delivered)"
    )
    receiver = OTLPReceiver()
    receiver.default = {"absent": Reply(), "hangs": Reply(delay=30.0, keeps=False), "fails": Reply(503)}[state]
    receiver.start()
    try:
        if state == "absent":
            receiver.stop()
        ended, took = run(text, receiver.url, tmp_path, 10).split("\n")
        seconds, delivered = took.split()
        assert delivered == "False"
        assert float(seconds) < {"absent": 1.5, "hangs": 5.5, "fails": 1.5}[state]
        receiver.stop()
        receiver.default = Reply()
        receiver.start()
        assert run(FLUSH, receiver.url, tmp_path) == "True"
        assert set(ended.split()) <= set(receiver.span_ids)
    finally:
        receiver.stop()


def test_the_end_is_quick_where_the_destination_is_known_to_fail(tmp_path: Path) -> None:
    text = BATCH + (
        "while processor.patience(5.0) == 5.0:\n    provider.force_flush(200)\n"
        "begun = time.monotonic()\nprovider.shutdown()\nprint(time.monotonic() - begun)"
    )
    with OTLPReceiver() as receiver:
        receiver.default = Reply(delay=30.0, keeps=False)  # the exporter's time-out of 2 s passes once
        _, seconds = run(text, receiver.url, tmp_path, 10).split("\n")
    assert float(seconds) < 1.9


def test_force_flush_says_no_when_the_destination_refused_a_span(tmp_path: Path) -> None:
    with OTLPReceiver(poison=lambda span: span.name == "span 3") as receiver:
        ended, flushed = run(BATCH + "print(provider.force_flush(20000))", receiver.url, tmp_path, 5).split("\n")
        assert flushed == "False"
        assert len(set(ended.split()) - set(receiver.span_ids)) == 1


def test_spans_of_two_processes_on_one_folder_arrive_once(tmp_path: Path) -> None:
    with OTLPReceiver() as receiver:
        programs = [
            start(BATCH + "print(provider.force_flush(20000))\nprovider.shutdown()", receiver.url, tmp_path, 300)
            for _ in range(2)
        ]
        outs = [each.communicate(timeout=60)[0].split("\n") for each in programs]
        assert [out[1] for out in outs] == ["True", "True"]
        ended = [each for out in outs for each in out[0].split()]
        assert sorted(receiver.span_ids) == sorted(ended)


def test_nothing_is_readable_by_others(tmp_path: Path) -> None:
    with OTLPReceiver() as receiver:
        receiver.default = Reply(503)
        killed_after(20, receiver.url, tmp_path / "buffer")
    for folder, _, names in os.walk(tmp_path / "buffer"):
        assert Path(folder).stat().st_mode & 0o077 == 0, folder
        assert [name for name in names if name != ".gitignore" and (Path(folder) / name).stat().st_mode & 0o077] == []
