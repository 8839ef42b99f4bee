from __future__ import annotations

import io
import json
import sys

import pytest

from otel_taskflow.model import TaskStatus
from otel_taskflow.observers import StdoutLogger
from tests.observers.stream import lifecycle_event, log_event


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def a_terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Not a fixture: pytest puts its own standard output in place when the test begins."""
    made = Terminal()
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr(sys, "stdout", made)
    return made


def test_lines_and_changes_of_state_are_written(capsys: pytest.CaptureFixture[str]) -> None:
    StdoutLogger().on_batch([lifecycle_event(), log_event("hello"), log_event("quiet", level="debug")])
    assert capsys.readouterr().out == (
        "[01234567] [send_email] 2026-01-31T12:00:00.000Z -- RUNNING\n"
        "[01234567] [send_email] 2026-01-31T12:00:00.123Z hello\n"
    )


def test_changes_of_state_can_be_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    StdoutLogger(log_lifecycle=False).on_batch([lifecycle_event()])
    assert capsys.readouterr().out == ""


def test_a_terminal_gets_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = a_terminal(monkeypatch)
    StdoutLogger().on_batch([log_event("trouble", level="error"), lifecycle_event(TaskStatus.FAILED)])
    assert terminal.getvalue().count("\x1b[31m") == 2


def test_a_terminal_of_a_user_who_wants_no_colours_gets_none(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = a_terminal(monkeypatch)
    monkeypatch.setenv("NO_COLOR", "1")
    StdoutLogger().on_log(log_event("trouble", level="error"))
    assert "\x1b" not in terminal.getvalue()


def test_json_is_never_coloured(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = a_terminal(monkeypatch)
    StdoutLogger(format="json").on_log(log_event("trouble", level="error"))
    assert json.loads(terminal.getvalue())["message"] == "trouble"


def test_a_message_cannot_steer_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = a_terminal(monkeypatch)
    monkeypatch.setenv("NO_COLOR", "1")
    StdoutLogger().on_log(log_event("\x1b[2J\r\nforged"))
    assert terminal.getvalue().endswith("\\x1b[2J\\r\\nforged\n")


def test_what_the_encoding_does_not_have_is_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="ascii"))
    StdoutLogger().on_log(log_event("Grüße"))
    assert written.getvalue().endswith(b"Gr\\xfc\\xdfe\n")


def test_a_standard_output_that_can_only_write_and_flush_gets_lines_without_colours(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Tee:
        def __init__(self) -> None:
            self.written = ""

        def write(self, text: str) -> None:
            self.written += text

        def flush(self) -> None:
            self.written += "<flushed>"

    tee = Tee()
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr(sys, "stdout", tee)
    StdoutLogger().on_log(log_event("Grüße"))
    assert tee.written == "[01234567] [send_email] 2026-01-31T12:00:00.123Z Grüße\n<flushed>"


def test_a_process_without_standard_output_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    StdoutLogger().on_log(log_event())
