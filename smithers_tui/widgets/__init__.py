"""Panes, named after what they show. Each paints lines of `view` and holds no truth of its own."""
