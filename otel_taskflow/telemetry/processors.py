"""What a provider of the SDK hands its spans, records and figures to, for people who look for a missing exporter.

The SDK has no public way to ask. Where these attributes are not what they are in the releases that were looked at, nothing
is found, and nothing is said.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

_LISTS = (
    ("_active_span_processor", "_span_processors"),
    ("_multi_log_record_processor", "_log_record_processors"),
    ("_metric_readers",),
)
"""From a provider to its processors or readers."""
_EXPORTERS = (
    ("span_exporter",),
    ("_exporter",),
    ("_batch_processor", "_exporter"),
)
"""From one of them to what it exports with."""


def processors_of(provider: object) -> Sequence[str]:
    """Their classes, each with that of its exporter: ``BatchSpanProcessor > OTLPSpanExporter``. Never raises."""
    found = next((each for path in _LISTS if (each := _follow(provider, path)) is not None), ())
    if not isinstance(found, Iterable):
        return ()
    return [" > ".join(_names(each)) for each in found]


def _names(processor: object) -> Iterator[str]:
    yield type(processor).__name__
    for path in _EXPORTERS:
        exporter = _follow(processor, path)
        if exporter is not None:
            yield type(exporter).__name__
            return


def _follow(thing: object, path: Sequence[str]) -> object:
    try:
        for name in path:
            thing = getattr(thing, name, None)
    except Exception:  # noqa: BLE001 - a provider of the app may be anything
        return None
    return thing
