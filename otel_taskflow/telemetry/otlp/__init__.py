"""Spans and log records as values, and their encoding as OTLP protobuf messages."""
