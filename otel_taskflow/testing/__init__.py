"""Test tools, the ones this project uses itself: the store contract, and what the pytest plugin sets."""
