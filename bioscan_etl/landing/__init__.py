"""Landing: how deliveries of specimens become batches, and what says that one has landed.

A batch is a delivery: records files, images in folders, zips or S3 prefixes, and an image manifest. It has landed when
its marker `OUTPUT/landing/<batch>/batch.json` exists; the marker is written last and names every file with its sha256,
so half a delivery is never read.

`marker` says what has landed, `folder` what a plain folder holds, `land` hashes a delivery and writes its marker,
`inbox` lands the folders that somebody has put there once they are complete.
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
