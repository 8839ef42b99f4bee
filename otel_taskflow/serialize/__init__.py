"""A task's arguments as JSON, by the function's annotations."""

from otel_taskflow.serialize.arguments import ArgumentCodec, Kept
from otel_taskflow.serialize.checking import CallChecks
from otel_taskflow.serialize.identity import identity_of, with_function

__all__ = ["ArgumentCodec", "CallChecks", "Kept", "identity_of", "with_function"]
