"""States and what follows from an outcome: pure functions, one table."""
