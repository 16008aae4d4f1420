"""The figures of the project, beside raw SQLite in the same session: `python -m benchmarks`."""
