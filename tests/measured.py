"""Coverage is measured in processes that tests kill too, now and then while they write what they measured."""

from __future__ import annotations

import gc
import warnings
from pathlib import Path

from coverage import CoverageData
from coverage.exceptions import CoverageException


def forget_torn_data(folder: Path) -> None:
    """Remove files with measured data that cannot be read whole: pytest-cov ends a run with an internal error for one."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "unclosed database", ResourceWarning)
        torn = [file for file in folder.glob(".coverage.*") if not _is_whole(file)]
        for file in torn:
            file.unlink(missing_ok=True)
        if torn:
            gc.collect()  # coverage leaves open what it cannot read


def _is_whole(file: Path) -> bool:
    data = CoverageData(str(file))
    every = CoverageData(no_disk=True)
    try:
        data.read()
        every.update(data)
    except CoverageException:
        return False
    finally:
        every.close(force=True)
        data.close(force=True)
    return True
