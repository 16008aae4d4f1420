"""The recipe ralph: its workflow is `recipe.py`, its prompts stand in `prompts/`."""
