"""A process of its own that writes the store while there is much to write, so that it shares no interpreter lock with the app."""
