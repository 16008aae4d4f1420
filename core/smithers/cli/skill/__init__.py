"""The skill by which a coding agent drives smithers, and how it gets into a project."""
