"""One row per specimen: join what the batches say of it, and decide what is accepted."""
