"""What tails the journal: the tailer, the store's consumer, the observers'."""
