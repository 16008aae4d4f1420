"""The recipes that ship: a folder each, with a short workflow, its prompts and an example."""

from pathlib import Path


def recipes() -> dict[str, Path]:
    """Name of each recipe and the file that holds its workflow. Imports none of them."""
    folder = Path(__file__).parent
    return {file.parent.name: file for file in sorted(folder.glob("*/recipe.py"))}
