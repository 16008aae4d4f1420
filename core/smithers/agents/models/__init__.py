"""Models without a CLI: a child of ours that asks a provider and uses tools in the workspace."""
