"""One module for each group of rows; each has `rows(settings)`."""
