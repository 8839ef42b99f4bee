"""Every error the package raises on purpose. Each names the thing, the value and the remedy."""

from __future__ import annotations


def shown(value: object) -> str:
    """A number for a message: Python refuses to write out an int of thousands of digits."""
    if isinstance(value, int) and value.bit_length() > 100:
        return f"<an int of {value.bit_length()} bits>"
    return repr(value)


class TaskflowError(Exception):
    """Base of all errors of otel_taskflow."""


class ConfigurationError(TaskflowError, ValueError):
    """A setting, parameter or environment variable that cannot be used as given."""


class UnsupportedParameterError(ConfigurationError):
    """A parameter that is known but not supported by this release."""


class TaskArgumentError(TaskflowError, ValueError):
    """Arguments that cannot be kept, refused because of ``strict_args=True``."""


class TaskNotFoundError(TaskflowError, LookupError):
    """No task has this id."""


class TaskStateError(TaskflowError):
    """The verb does not fit the state the task is in."""


class TaskNotRegisteredError(TaskflowError, LookupError):
    """The stored task names a function that this process has not registered."""


class ManagerClosedError(TaskflowError, RuntimeError):
    """A task was added to a manager that has been shut down."""


class QueueFullError(TaskflowError, RuntimeError):
    """The task was refused because too many are waiting; nothing was stored."""


class StoreError(TaskflowError):
    """The store cannot be opened, read or written."""


class StoreUnavailableError(StoreError):
    """A task was refused because its manager started without its store; nothing was stored (``on_store_error="refuse"``)."""


class StoreVersionError(StoreError):
    """The store was written by a newer, incompatible release. The file is left untouched."""


class StoreReplacedError(StoreError):
    """The store was damaged and a fresh one is in use: what the journals still hold can be written again."""


class JournalError(TaskflowError):
    """The journal cannot be created, read or written."""


class SpoolError(TaskflowError):
    """The spool of what is to be exported cannot be opened, read or written."""


class SpoolReplacedError(SpoolError):
    """The spool was damaged and a fresh one is in use: what the journals still hold can be written again."""
