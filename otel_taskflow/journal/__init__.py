"""The journal: one crash-safe, append-only file sequence per process, which everything else tails."""
