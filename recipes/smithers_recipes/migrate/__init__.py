"""The recipe migrate: its workflow is `recipe.py`, its prompts stand in `prompts/`."""
