"""One file a place of the app: it asks the feed, arranges panes and answers keys."""
