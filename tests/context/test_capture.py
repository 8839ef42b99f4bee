from __future__ import annotations

import io
import logging
import logging.config
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import copy_context

import pytest

from otel_taskflow.context import task_log
from otel_taskflow.context.capture import capture_level, install_capture
from otel_taskflow.errors import ConfigurationError
from tests.context.attempt import attempt
from tests.context.conftest import Install


class Seen(logging.Handler):
    """A user's handler: remembers what reaches it."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())


@contextmanager
def handler_on(*loggers: logging.Logger) -> Iterator[Seen]:
    seen = Seen()
    for logger in loggers:
        logger.addHandler(seen)
    try:
        yield seen
    finally:
        for logger in loggers:
            logger.removeHandler(seen)


def test_what_a_library_logs_goes_into_the_record_with_the_root_at_its_default_level(
    capture: Install, library: logging.Logger
) -> None:
    capture("INFO")
    with attempt() as running:
        library.debug("too quiet")
        library.info("GET %s", "/orders", extra={"status": 200})
        library.critical("down")
    assert running.lines == [
        ("GET /orders", "info", {"status": 200}, "library.client"),
        ("down", "error", {}, "library.client"),
    ]


def test_nobody_else_sees_more_than_before(capture: Install, library: logging.Logger) -> None:
    capture("DEBUG")
    with handler_on(logging.getLogger(), logging.getLogger("library")) as seen, attempt() as running:
        library.info("for the record only")
        library.warning("for all")
    assert running.messages == ["for the record only", "for all"]
    assert seen.messages == ["for all", "for all"]


def test_outside_an_attempt_nothing_changes(capture: Install, library: logging.Logger) -> None:
    capture("DEBUG")
    with handler_on(logging.getLogger()) as seen:
        assert not library.isEnabledFor(logging.INFO)
        library.info("not made")
        library.warning("made")
        library.handle(library.makeRecord("library.client", logging.DEBUG, "", 0, "sent by another process", (), None))
    assert seen.messages == ["made", "sent by another process"]


def passed_on(level: int, message: str) -> logging.LogRecord:
    """A record as another process, or a library with a logger of its own, passes it on."""
    return logging.makeLogRecord({"name": "library.client", "levelno": level, "msg": message})


def test_a_record_that_is_passed_on_reaches_the_handlers_as_outside_an_attempt(
    capture: Install, library: logging.Logger
) -> None:
    capture("INFO")
    with handler_on(logging.getLogger()) as seen, attempt() as running:
        library.info("for the record only")
        library.handle(passed_on(logging.INFO, "passed on"))
        library.handle(passed_on(logging.DEBUG, "passed on, too quiet for the record"))
    assert running.messages == ["for the record only", "passed on"]
    assert seen.messages == ["passed on", "passed on, too quiet for the record"]


def test_a_record_is_passed_on_only_if_the_logger_would_be_enabled_where_the_receiver_asks(
    capture: Install, library: logging.Logger
) -> None:
    capture("INFO")
    with handler_on(logging.getLogger()) as seen, attempt() as running:
        for record in (passed_on(logging.INFO, "quiet"), passed_on(logging.WARNING, "loud")):
            if library.isEnabledFor(record.levelno):
                library.handle(record)
    assert (running.messages, seen.messages) == (["quiet", "loud"], ["loud"])


def test_a_question_about_a_level_hides_no_later_record(capture: Install, library: logging.Logger) -> None:
    capture("INFO")
    with handler_on(logging.getLogger()) as seen, attempt():
        assert library.isEnabledFor(logging.INFO)
        library.warning("for all")
    assert seen.messages == ["for all"]


def test_a_filter_that_logs_or_changes_the_level_shows_nobody_else_the_record(
    capture: Install, library: logging.Logger
) -> None:
    def asks_another_library(record: logging.LogRecord) -> bool:
        logging.getLogger("library.cache").info("looked up")
        record.levelno = logging.DEBUG
        return True

    capture("INFO")
    library.addFilter(asks_another_library)
    try:
        with handler_on(logging.getLogger()) as seen, attempt():
            library.info("for the record only")
    finally:
        library.removeFilter(asks_another_library)
    assert seen.messages == []


def test_levels_handlers_and_filters_stay_what_they_are(capture: Install, library: logging.Logger) -> None:
    root = logging.getLogger()
    before = (root.level, list(root.handlers), list(root.filters), library.level)
    uninstall = capture("DEBUG")
    assert (root.level, list(root.handlers), list(root.filters), library.level) == before
    uninstall()
    assert (root.level, list(root.handlers), list(root.filters), library.level) == before


def test_undoing_puts_the_logging_module_back(library: logging.Logger) -> None:
    originals = logging.Logger.isEnabledFor, logging.Logger.callHandlers
    first, second = install_capture("INFO"), install_capture("DEBUG")
    assert logging.Logger.isEnabledFor is not originals[0]
    second()
    second()
    with attempt() as running:
        library.info("still")
        library.debug("no more")
    assert running.messages == ["still"]
    first()
    assert (logging.Logger.isEnabledFor, logging.Logger.callHandlers) == originals


def test_a_wrapper_put_over_ours_survives_the_undoing(library: logging.Logger, monkeypatch: pytest.MonkeyPatch) -> None:
    uninstall = install_capture("INFO")
    ours = logging.Logger.callHandlers
    called: list[str] = []

    def theirs(logger: logging.Logger, record: logging.LogRecord) -> None:
        called.append(record.getMessage())
        ours(logger, record)

    monkeypatch.setattr(logging.Logger, "callHandlers", theirs)
    uninstall()
    with attempt() as running, handler_on(library) as seen:
        library.warning("hello")
    assert (called, seen.messages, running.messages) == (["hello"], ["hello"], [])
    monkeypatch.undo()
    install_capture("INFO")()
    assert logging.Logger.callHandlers is not ours


def test_a_line_is_not_doubled_by_several_handlers_and_parents(capture: Install, library: logging.Logger) -> None:
    capture("INFO")
    with handler_on(library, logging.getLogger("library"), logging.getLogger()), attempt() as running:
        library.warning("once")
    assert running.messages == ["once"]


def test_a_logger_that_does_not_propagate_is_taken_too(capture: Install, library: logging.Logger) -> None:
    library.propagate = False
    capture("INFO")
    with attempt() as running:
        library.info("kept")
    assert running.messages == ["kept"]


def test_a_level_that_somebody_set_on_a_logger_holds(capture: Install, library: logging.Logger) -> None:
    logging.getLogger("library").setLevel(logging.ERROR)
    capture("INFO")
    with attempt() as running:
        library.warning("silenced on purpose")
        library.error("kept")
    assert running.messages == ["kept"]


def test_a_logger_that_was_switched_off_stays_off(capture: Install, library: logging.Logger) -> None:
    capture("INFO")
    library.disabled = True
    with attempt() as running:
        library.error("off")
        library.disabled = False
        logging.disable(logging.INFO)
        try:
            library.info("disabled for all")
        finally:
            logging.disable(logging.NOTSET)
    assert running.messages == []


def test_a_filter_of_a_logger_holds(capture: Install, library: logging.Logger) -> None:
    def no_secrets(record: logging.LogRecord) -> bool:
        return "secret" not in record.getMessage()

    capture("INFO")
    library.addFilter(no_secrets)
    try:
        with attempt() as running:
            library.info("the secret")
            library.info("the rest")
    finally:
        library.removeFilter(no_secrets)
    assert running.messages == ["the rest"]


def test_a_new_logging_configuration_does_not_end_it(capture: Install, library: logging.Logger) -> None:
    capture("INFO")
    root = logging.getLogger()
    before = list(root.handlers)
    try:
        logging.config.dictConfig({"version": 1, "disable_existing_loggers": False, "root": {"level": "ERROR"}})
        with attempt() as running:
            library.info("kept")
    finally:
        root.handlers[:] = before
    assert running.messages == ["kept"]


def test_our_own_loggers_are_left_out(capture: Install) -> None:
    capture("DEBUG")
    with attempt() as running:
        logging.getLogger("otel_taskflow").warning("about ourselves")
        logging.getLogger("otel_taskflow.task").warning("outside")
        logging.getLogger("otel_taskflow_shop").warning("somebody else")
        task_log("a line of the task")
    assert running.messages == ["somebody else", "a line of the task"]


def test_an_exception_is_kept_as_text(capture: Install, library: logging.Logger) -> None:
    capture("INFO")
    with attempt() as running:
        try:
            raise ValueError("boom")
        except ValueError:
            library.exception("failed", stack_info=True)
    (line,) = running.lines
    assert (line.message, line.level) == ("failed", "error")
    assert line.extra["exception"].startswith("Traceback")
    assert line.extra["exception"].endswith("ValueError: boom")
    assert line.extra["stack_info"].startswith("Stack")


def test_what_instrumentation_puts_on_a_record_is_no_extra(capture: Install, library: logging.Logger) -> None:
    capture("INFO")
    with attempt() as running:
        library.info("hello", extra={"otelTraceID": "0", "otelSpanID": "0", "order": 1})
    assert running.lines[0].extra == {"order": 1}


def test_arguments_that_do_not_fit_leave_the_format(capture: Install, library: logging.Logger) -> None:
    capture("INFO")
    with attempt() as running:
        library.info("%d items", "many")
    assert running.messages == ["%d items"]


def test_what_is_logged_while_a_line_is_taken_makes_no_circle(capture: Install, library: logging.Logger) -> None:
    class Chatty:
        def __str__(self) -> str:
            library.warning("I am being shown")
            return "chatty"

    capture("INFO")
    library.propagate = False
    with handler_on(library) as seen, attempt() as running:
        seen.setLevel(logging.CRITICAL)
        library.warning("%s", Chatty())
    assert running.messages == ["chatty"]


def test_the_attempt_is_that_of_the_thread_or_context(capture: Install, library: logging.Logger) -> None:
    capture("INFO")
    with attempt() as running:
        context = copy_context()
        stranger = threading.Thread(target=library.info, args=["from a bare thread"])
        stranger.start()
        stranger.join()
        helper = threading.Thread(target=context.run, args=[library.info, "from the context"])
        helper.start()
        helper.join()
    assert running.messages == ["from the context"]


def test_where_the_call_was_made_is_still_right(capture: Install, library: logging.Logger) -> None:
    capture("INFO")
    records: list[logging.LogRecord] = []
    with handler_on(library) as seen, attempt():
        seen.emit = records.append  # type: ignore[method-assign] # the record itself is looked at
        library.warning("here")
    assert (records[0].filename, records[0].funcName) == (
        "test_capture.py",
        test_where_the_call_was_made_is_still_right.__name__,
    )


BARE = """
import logging
from otel_taskflow.context.capture import install_capture
from tests.context.attempt import attempt

install_capture("DEBUG")
with attempt() as running:
    logging.getLogger("library").info("for the record only")
    logging.getLogger("library").warning("last resort")
    assert len(running.lines) == 2
logging.basicConfig(format="configured %(message)s")
logging.warning("later")
"""


def test_the_handler_of_last_resort_and_basic_config_work_as_ever() -> None:
    done = subprocess.run([sys.executable, "-c", BARE], capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr.splitlines() == ["last resort", "configured later"]


@pytest.mark.parametrize(
    ("level", "number"),
    [("INFO", 20), (" warning ", 30), ("warn", 30), ("error", 40), ("15", 15), (10, 10), ("NOTSET", 0)],
)
def test_a_level_is_a_name_in_any_case_or_a_number(level: str | int, number: int) -> None:
    assert capture_level(level) == number


@pytest.mark.parametrize("level", ["loud", "", "-5", -5, True, None, 1.5])
def test_a_level_that_is_none_is_refused_by_name(level: object) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(f"capture_logging={level!r}")):
        capture_level(level)


def test_a_stream_handler_of_the_user_writes_the_same_text(capture: Install, library: logging.Logger) -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    library.addHandler(handler)
    capture("INFO")
    try:
        with attempt():
            library.warning("to the user, %s", "too")
    finally:
        library.removeHandler(handler)
    assert stream.getvalue() == "to the user, too\n"
