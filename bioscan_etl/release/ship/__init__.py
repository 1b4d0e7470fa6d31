"""From finished parts to a numbered version, and from a version to a bucket."""
