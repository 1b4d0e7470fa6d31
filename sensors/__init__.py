"""What starts runs: new batches, the release schedule, and the jobs they ask for."""
