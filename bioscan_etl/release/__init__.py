"""What users download: metadata tables, image packages, HDF5, manifests and their check.

Belongs here: the forms of a release and the proof that they agree. Does not belong here: what a label, a partition or
a crop is; those arrive finished. A release is put together part by part in a staging folder (`staging`): the metadata
and the images (`parts`), then each output form (`forms`). It is published whole (`ship.version`).
"""
