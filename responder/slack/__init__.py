"""Slack as a place to begin, decide, follow and close from; everything below this line works without it."""
