"""What ``setup_telemetry`` is given, checked before anything is built: a call that is refused leaves nothing behind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from otel_taskflow.errors import ConfigurationError


class Given(NamedTuple):
    """What ``setup_telemetry`` was given besides the app; None for what the standard variables decide."""

    service_name: str | None
    endpoint: str | None
    headers: Mapping[str, str] | None
    resource_attributes: Mapping[str, Any] | None
    durable: bool


def checked(given: Given) -> Given:
    """The same, in the form that exporters take. Raises ConfigurationError with parameter, value and remedy."""
    from otel_taskflow.export.checks import checked_headers

    if not isinstance(given.service_name, (str, type(None))):
        raise ConfigurationError(f"service_name={given.service_name!r} must be a text, such as 'shop'")
    if not isinstance(given.durable, bool):
        raise ConfigurationError(f"durable={given.durable!r} must be True or False")
    _check_attributes(given.resource_attributes)
    return given._replace(
        endpoint=None if given.endpoint is None else _checked_endpoint(given.endpoint),
        headers=None if given.headers is None else checked_headers("setup_telemetry(headers)", given.headers),
    )


def check_app(app: Any) -> None:
    """A FastAPI or Starlette app that takes middleware still. Raises ConfigurationError."""
    if isinstance(app, type) or not callable(getattr(app, "add_middleware", None)):
        raise ConfigurationError(
            f"setup_telemetry({app!r}) needs a FastAPI or Starlette app, or none; the service's name is service_name="
        )
    if getattr(app, "middleware_stack", None) is not None:
        raise ConfigurationError(
            f"setup_telemetry({app!r}) came after the app had started; call it where the app is made, or without the app "
            "and call flush() on what it returns when the app ends"
        )


def _checked_endpoint(endpoint: object) -> str:
    from otel_taskflow.export.checks import checked_endpoint, without_user

    if isinstance(endpoint, str) and not endpoint.startswith(("http://", "https://")):
        raise ConfigurationError(
            f"endpoint={without_user(endpoint)!r} must be an http address, such as 'http://localhost:4318' "
            "(OTLP over HTTP, not gRPC)"
        )
    return checked_endpoint("endpoint", endpoint)


def _check_attributes(attributes: object) -> None:
    remedy = 'give a dict such as {"deployment.environment.name": "production"}'
    if attributes is None:
        return
    if not isinstance(attributes, Mapping):
        raise ConfigurationError(f"resource_attributes={attributes!r} cannot be used; {remedy}")
    for name in attributes:
        if not isinstance(name, str) or not name:
            raise ConfigurationError(f"resource_attributes: {name!r} is no name of an attribute; {remedy}")
