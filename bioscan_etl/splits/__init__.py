"""Partitioning: the protocols that assign the partitions of a release, and the checks of their result.

Belongs here: assigning specimens to partitions, and checking that no barcode and no species leaks. Does not
belong here: the labels of specimens (`bioscan_etl.taxonomy`) and how a partition is written
(`bioscan_etl.release`).
"""
