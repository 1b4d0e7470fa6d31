"""Benchmarks on a release: what a model can learn from it, measured from its public files (spec: benchmarks)."""
