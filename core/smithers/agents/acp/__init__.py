"""The Agent Client Protocol: programs that are a server to us, and ask before they act."""
