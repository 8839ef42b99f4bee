"""Alert rules on a real Prometheus: they fire when tasks fail, and resolve when they do well again."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.backends.stack import Stack, running_stack, wait_until
from tests.conftest import ROOT

pytestmark = [pytest.mark.backends, pytest.mark.timeout(300)]
RULES = ROOT / "grafana" / "alerts"
FAILING = "TaskFailureRatio"
LIMIT = 90.0
