"""Landing: how deliveries of specimens become batches.

A batch is a delivery: records files, images in folders, zips or S3 prefixes, and an image manifest. It has landed when
its marker `OUTPUT/landing/<batch>/batch.json` exists. The marker is written last and lists every file with its sha256,
so a partial delivery is never read.

`marker` defines the marker, `folder` finds the content of a plain folder, `land` hashes a delivery and writes its
marker, `inbox` lands the folders of the inbox once they are complete.
"""

from bioscan_etl.landing.folder import DONE, Delivery, recognise
from bioscan_etl.landing.inbox import Inbox, sweep
from bioscan_etl.landing.land import images_changed, images_entry, land, register
from bioscan_etl.landing.marker import (
    MARKER,
    Batch,
    ImagesEntry,
    ManifestEntry,
    RecordsEntry,
    check_name,
    is_name,
    landed,
    load,
    name_from_file,
)

__all__ = [
    "DONE",
    "MARKER",
    "Batch",
    "Delivery",
    "ImagesEntry",
    "Inbox",
    "ManifestEntry",
    "RecordsEntry",
    "check_name",
    "images_changed",
    "images_entry",
    "is_name",
    "land",
    "landed",
    "load",
    "name_from_file",
    "recognise",
    "register",
    "sweep",
]
