"""Taxonomic labels from raw to curated: names, typos, conflicts, inference, lineage, decisions, invariants."""
