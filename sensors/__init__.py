"""Triggers of runs: the inbox, new batches, the release after new batches, the schedules, and their jobs."""
