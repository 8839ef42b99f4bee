"""A program of its tests: says what ``multiprocessing`` would look for in it."""

import sys

spec = sys.modules["__main__"].__spec__
print(__name__, spec.name if spec else None)
