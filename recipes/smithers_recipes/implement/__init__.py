"""The recipe implement: its workflow is `recipe.py`, its prompts stand in `prompts/`."""
