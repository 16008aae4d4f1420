"""What may be wrong with a run directory: each file has findings about one thing."""
