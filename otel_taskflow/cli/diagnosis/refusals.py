"""What to do about records that a back end refused, by the words of its answer. Pure."""

from __future__ import annotations

SEEN = "`otel-taskflow spool dump` shows them"
_REMEDIES = {
    "too far behind": (
        "Loki refuses what is much older than the newest record of its stream, such as what waited here during an outage: set "
        "limits_config.shard_streams.time_sharding_enabled: true there"
    ),
    "timestamp too old": (
        "Loki refuses what is older than limits_config.reject_old_samples_max_age (a week by default): raise it there if what "
        "waits here may be older"
    ),
    "timestamp too new": "the clock of this host is ahead of the back end's: set both by NTP",
    "max entry size": "Loki takes lines of limits_config.max_line_size (256 KB): raise it there",
}
"""Remedies by what the answer contains; the first that fits."""


def remedy_of(answer: str) -> str:
    """What the operator of this back end, or the author of the records, can do."""
    for words, remedy in _REMEDIES.items():
        if words in answer:
            return f"{remedy}; {SEEN}"
    return f"{SEEN}; change what the server refuses in them"
