"""What a workflow says: steps, contexts, renders.

Pure but for prompt files; knows no store and no engine.
"""
