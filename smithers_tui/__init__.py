"""The terminal app: what runs, what waits for a person, what changed."""
