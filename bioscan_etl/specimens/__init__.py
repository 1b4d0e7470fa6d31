"""One row per specimen: join the tables of the batches, and decide what is accepted."""
