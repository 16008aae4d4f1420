"""Pure functions from what the service answers to lines of text with roles. Knows no Textual."""
