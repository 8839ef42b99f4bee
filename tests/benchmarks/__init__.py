"""Comparisons with others, in one run: ``make bench``. No part of the test suite; figures say what this machine does today."""
