"""Every name we emit, written once.

``messaging.*``, ``code.*``, ``error.type`` and ``exception.*`` are those of the OpenTelemetry semantic conventions 1.44;
``otel_taskflow.*`` are our own. The package that holds the conventions' constants is a beta that pins exact versions.
"""

from __future__ import annotations

SCOPE = "otel_taskflow"
SCHEMA_URL = "https://opentelemetry.io/schemas/1.44.0"

# Attributes of the conventions
MESSAGING_SYSTEM = "messaging.system"
MESSAGING_OPERATION_NAME = "messaging.operation.name"
MESSAGING_OPERATION_TYPE = "messaging.operation.type"
MESSAGING_DESTINATION_NAME = "messaging.destination.name"
MESSAGING_MESSAGE_ID = "messaging.message.id"
CODE_FUNCTION_NAME = "code.function.name"
ERROR_TYPE = "error.type"
EXCEPTION_TYPE = "exception.type"
EXCEPTION_MESSAGE = "exception.message"
EXCEPTION_STACKTRACE = "exception.stacktrace"
LOG_RECORD_UID = "log.record.uid"

SEND = "send"
PROCESS = "process"

# Our attributes
TASK_ID = "otel_taskflow.task.id"
TASK_NAME = "otel_taskflow.task.name"
ATTEMPT_NUMBER = "otel_taskflow.attempt.number"
"""Counts from 1, unlike ``attempt`` in the Python API, which counts from 0."""
ATTEMPT_MAX = "otel_taskflow.attempt.max"
ATTEMPT_OUTCOME = "otel_taskflow.attempt.outcome"
ATTEMPT_DURATION = "otel_taskflow.attempt.duration"
END_REASON = "otel_taskflow.attempt.reason"
RETRY_WAIT = "otel_taskflow.retry.wait"
QUEUE_WAIT = "otel_taskflow.queue.wait"
WORKER_ID = "otel_taskflow.worker.id"
LOG_COUNT = "otel_taskflow.log.count"
LOG_OMITTED = "otel_taskflow.log.omitted"
LOG_LATE = "otel_taskflow.log.late"
LOG_LOGGER = "otel_taskflow.log.logger"
EXTRA_OMITTED = "otel_taskflow.extra.omitted"
TAG_PREFIX = "otel_taskflow.tag."
LINK_TYPE = "otel_taskflow.link.type"
LINK_ENQUEUE = "enqueue"
LINK_PREVIOUS_ATTEMPT = "previous_attempt"

# Names of events
EVENT_TASK_LOG = "task.log"
EVENT_EXCEPTION = "exception"
EVENT_PROCESS_EXCEPTION = "messaging.process.exception"
EVENT_ATTEMPT_STARTED = "otel_taskflow.attempt.started"
EVENT_RETRY_SCHEDULED = "otel_taskflow.attempt.retry_scheduled"
EVENT_ATTEMPT_INTERRUPTED = "otel_taskflow.attempt.interrupted"

# Metrics
METRIC_PROCESS_DURATION = "messaging.process.duration"
METRIC_SENT = "messaging.client.sent.messages"
METRIC_CONSUMED = "messaging.client.consumed.messages"
METRIC_QUEUE_WAIT = "otel_taskflow.queue.wait.duration"
METRIC_ACTIVE = "otel_taskflow.attempt.active"
METRIC_QUEUE_DEPTH = "otel_taskflow.queue.depth"
METRIC_RETRIES = "otel_taskflow.task.retries"
METRIC_JOURNAL_LAG = "otel_taskflow.journal.lag"
METRIC_EXPORT_PENDING = "otel_taskflow.export.pending"
METRIC_EXPORT_DROPPED = "otel_taskflow.export.dropped"
METRIC_DROPPED = "otel_taskflow.dropped"
CONSUMER = "otel_taskflow.consumer"
EXPORT_DESTINATION = "otel_taskflow.export.destination"
EXPORT_SIGNAL = "otel_taskflow.export.signal"
DROP_SIGNAL = "otel_taskflow.drop.signal"
DROP_REASON = "otel_taskflow.drop.reason"
