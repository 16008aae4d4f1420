"""Who drives a run, and what if they die: owners, engines as processes, and bringing them back."""
