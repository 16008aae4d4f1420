"""Child processes: start them marked, read them, end every one. Knows nothing of agents or runs."""
