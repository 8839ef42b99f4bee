"""``python -m otel_taskflow``."""

import sys

from otel_taskflow.cli import main

if __name__ == "__main__":
    sys.exit(main())
