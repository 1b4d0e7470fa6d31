"""What differs between two releases: read them, compare them, say it in words."""
