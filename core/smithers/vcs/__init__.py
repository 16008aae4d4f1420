"""Git as the hands of a run: its own worktree, snapshots of files, diffs and the final merge."""
