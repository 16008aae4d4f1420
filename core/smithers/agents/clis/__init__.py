"""Programs that are driven through their own JSON lines, a file each: no process, no policy."""
