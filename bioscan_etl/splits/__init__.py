"""Partitioning: the protocols that assign the partitions of a release, and the checks on what they assigned.

Belongs here: which specimen goes into which partition, and proof that no barcode and no species leaks. Does not
belong here: what a specimen's labels are (`bioscan_etl.taxonomy`) and how a partition is written
(`bioscan_etl.release`).
"""
