"""States and what follows from an outcome."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_taskflow.lifecycle.decide import (
    ALLOWED,
    MAX_INTERRUPTIONS,
    RETRYABLE,
    Run,
    decide,
    is_allowed,
    is_final,
    wait_before_retry,
)
from otel_taskflow.model import (
    AttemptOutcome,
    Cancelled,
    Interrupted,
    Outcome,
    Raised,
    RetryPolicy,
    Returned,
    TaskStatus,
    TimedOut,
)

NOW = 1_800_000_000_000_000_000
OUTCOMES: list[Outcome] = [
    Returned(),
    Raised(ValueError("no")),
    TimedOut(1.0),
    Cancelled(),
    Interrupted(),
    Raised(SystemExit()),
]


def test_a_return_is_a_success_on_any_attempt() -> None:
    transition = decide(Run(2, RetryPolicy(retries=5)), Returned(), NOW)
    assert (transition.status, transition.outcome, transition.retry_at) == (
        TaskStatus.SUCCESS,
        AttemptOutcome.SUCCEEDED,
        None,
    )


def test_a_failure_with_retries_left_keeps_the_task_running_until_the_retry() -> None:
    transition = decide(Run(0, RetryPolicy(retries=1, delay=2.0)), Raised(ValueError()), NOW)
    assert transition.status is TaskStatus.RUNNING
    assert transition.outcome is AttemptOutcome.RETRYING
    assert transition.retry_at == NOW + 2_000_000_000


def test_the_last_failure_fails_the_task() -> None:
    transition = decide(Run(1, RetryPolicy(retries=1)), Raised(ValueError()), NOW)
    assert (transition.status, transition.outcome) == (TaskStatus.FAILED, AttemptOutcome.FAILED)


def test_an_interruption_ends_a_task_that_did_not_opt_in() -> None:
    transition = decide(Run(0, RetryPolicy(retries=3)), Interrupted("shutdown"), NOW)
    assert (transition.status, transition.retry_at) == (TaskStatus.INTERRUPTED, None)


def test_a_task_that_opted_in_runs_on_after_an_interruption_until_the_limit() -> None:
    run = Run(0, RetryPolicy(), runs_on=True)
    transition = decide(run, Interrupted(), NOW)
    assert (transition.status, transition.outcome) == (TaskStatus.RUNNING, AttemptOutcome.INTERRUPTED)
    assert transition.retry_at == NOW
    worn_out = run._replace(attempt=MAX_INTERRUPTIONS, interruptions=MAX_INTERRUPTIONS)
    assert decide(worn_out, Interrupted(), NOW).status is TaskStatus.INTERRUPTED


def test_interruptions_use_up_no_retry_and_lengthen_no_wait() -> None:
    policy = RetryPolicy(retries=1, delay=1.0, backoff=10.0)
    assert decide(Run(2, policy, interruptions=2), Raised(ValueError()), NOW).retry_at == NOW + 1_000_000_000
    assert decide(Run(3, policy, interruptions=2), Raised(ValueError()), NOW).status is TaskStatus.FAILED


def test_an_exception_outside_retry_on_is_not_retried() -> None:
    policy = RetryPolicy(retries=3, retry_on=(OSError,))
    assert decide(Run(0, policy), Raised(ValueError()), NOW).status is TaskStatus.FAILED
    assert decide(Run(0, policy), Raised(ConnectionError()), NOW).status is TaskStatus.RUNNING


@pytest.mark.parametrize("error", [SystemExit(1), KeyboardInterrupt(), GeneratorExit()])
def test_a_base_exception_fails_the_task_at_once(error: BaseException) -> None:
    assert decide(Run(0, RetryPolicy(retries=3)), Raised(error), NOW).status is TaskStatus.FAILED


def test_a_timeout_is_retried_like_a_timeout_error() -> None:
    transition = decide(Run(0, RetryPolicy(retries=1)), TimedOut(1.0), NOW)
    assert (transition.status, transition.outcome) == (TaskStatus.RUNNING, AttemptOutcome.TIMED_OUT)
    assert decide(Run(0, RetryPolicy(retries=1, retry_on=(KeyError,))), TimedOut(1.0), NOW).status is TaskStatus.FAILED


def test_an_error_after_a_cancel_request_is_a_cancel_and_not_retried() -> None:
    transition = decide(Run(0, RetryPolicy(retries=3), cancel_requested=True), Raised(ValueError()), NOW)
    assert (transition.status, transition.retry_at) == (TaskStatus.CANCELLED, None)


def test_the_wait_follows_the_documented_formula() -> None:
    policy = RetryPolicy(retries=4, delay=1.5, backoff=2.0)
    assert [wait_before_retry(n, policy) for n in (1, 2, 3)] == [1.5, 3.0, 6.0]


def test_the_wait_is_capped_and_jittered_downwards() -> None:
    policy = RetryPolicy(delay=10.0, backoff=10.0, max_delay=30.0, jitter=0.5)
    assert wait_before_retry(3, policy, lambda: 0.0) == 30.0
    assert wait_before_retry(3, policy, lambda: 1.0) == 15.0


@pytest.mark.parametrize("retry", [1, 1024, 1025, 5000])
def test_without_a_delay_no_retry_waits_however_far_the_factor_has_grown(retry: int) -> None:
    assert wait_before_retry(retry, RetryPolicy(delay=0, backoff=2.0)) == 0


@given(retry=st.integers(1, 5000), delay=st.floats(0, 1e6), backoff=st.floats(0, 100))
def test_the_wait_is_always_a_finite_number_of_seconds(retry: int, delay: float, backoff: float) -> None:
    wait = wait_before_retry(retry, RetryPolicy(delay=delay, backoff=backoff))
    assert 0 <= wait < float("inf")


def test_every_decision_is_a_step_of_the_table() -> None:
    runs = [Run(n, RetryPolicy(retries=1), cancel) for n, cancel in itertools.product((0, 1), (False, True))]
    for run, outcome in itertools.product(runs, OUTCOMES):
        assert is_allowed(TaskStatus.RUNNING, decide(run, outcome, NOW).status)


def test_a_final_state_leads_nowhere_but_for_an_interrupted_task_that_opted_in() -> None:
    for status, after in ALLOWED.items():
        if is_final(status):
            assert after == ({TaskStatus.RUNNING} if status is TaskStatus.INTERRUPTED else frozenset())
    assert all(is_final(status) for status in RETRYABLE)


def test_a_task_that_was_cancelled_is_not_run_again_after_an_interruption_either() -> None:
    run = Run(0, RetryPolicy(retries=3), cancel_requested=True, runs_on=True)
    transition = decide(run, Interrupted("shutdown"), NOW)
    assert (transition.status, transition.outcome, transition.reason) == (
        TaskStatus.CANCELLED,
        AttemptOutcome.CANCELLED,
        "user",
    )
    assert transition.retry_at is None


def test_an_exception_that_cannot_be_told_from_others_is_not_retried() -> None:
    class Odd(type):
        def __subclasscheck__(cls, subclass: type) -> bool:
            raise RuntimeError("no")

    class OddError(Exception, metaclass=Odd):
        pass

    transition = decide(Run(0, RetryPolicy(retries=3, retry_on=(OddError,))), Raised(ValueError()), NOW)
    assert (transition.status, transition.retry_at) == (TaskStatus.FAILED, None)
