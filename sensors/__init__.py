"""What starts runs: the inbox and new batches, settled waves, the schedules, and the jobs they ask for."""
