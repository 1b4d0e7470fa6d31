"""Differences between two releases: read them, compare them, report them."""
