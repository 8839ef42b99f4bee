"""The engine in this process: attempts, retries, cancelling, recovery."""
