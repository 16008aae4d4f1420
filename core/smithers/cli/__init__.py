"""The command line: one door of several. It parses, asks `service`, prints, and decides nothing."""

VERSION = "0.1.0"
