"""Features of images on disk, so that benchmarks that run one after the other decode each image once.

Belongs here: the file of features and its key. Does not belong here: making features (`images`).

The key is all that features follow from: the release's manifest, which has the sum of every image; the weights and the
sidecar of the encoder; the partitions; and the versions of what decodes and computes. A file that cannot be read is
made again.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from pathlib import Path

import numpy as np

from bioscan_etl.evaluation.encoder import SHIPPED, ImageEncoder
from bioscan_etl.evaluation.images import ASKED, LIBRARIES, ImageVectors, embedded, pictured
from bioscan_etl.evaluation.measured import stated_versions
from bioscan_etl.evaluation.records import Records
from bioscan_etl.io.write import atomic_file
from bioscan_etl.progress import Progress, silent

FOLDER = ".features"
_ARRAYS = ("places", "features", "colours", "sizes", "damaged", "seconds")


def kept_images(
    records: Records, folder: Path, weights: Path | None = None, progress: Progress = silent
) -> ImageVectors:
    """The features of the images of a release: those that the folder has, or new ones, which it then has.

    Args:
        records: the release.
        folder: of an evaluation.
        weights: of an image encoder; None: the shipped one.
        progress: reports images.

    Raises:
        SourceError: the encoder cannot be opened.
    """
    if not len(pictured(records)):
        return ImageVectors.none(records.rows.height)
    encoder = ImageEncoder(weights or SHIPPED)
    path = folder / FOLDER / f"{_key(records, encoder)}.npz"
    if (found := _read(path, records, encoder)) is not None:
        return found
    made = embedded(records, encoder, progress=progress)
    for other in path.parent.glob("*.npz"):
        other.unlink()  # of another encoder or release: one is enough
    with atomic_file(path) as stream:
        np.savez(
            stream,
            places=made.places,
            features=made.features,
            colours=made.colours,
            sizes=made.sizes,
            damaged=np.array(made.damaged, np.str_).reshape(-1, 2),
            seconds=np.array(made.seconds),
        )
    return made


def _key(records: Records, encoder: ImageEncoder) -> str:
    facts = [records.digest, encoder.digest, encoder.sidecar.model_dump(), ASKED, stated_versions(LIBRARIES)]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:32]


def _read(path: Path, records: Records, encoder: ImageEncoder) -> ImageVectors | None:
    try:
        with np.load(path, allow_pickle=False) as held:
            found = {name: held[name] for name in _ARRAYS}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
    images = len(found["features"])
    is_whole = (
        found["places"].shape == (records.rows.height,)
        and found["features"].shape == (images, encoder.width)
        and len(found["colours"]) == len(found["sizes"]) == images
        and int(found["places"].max(initial=-1)) == images - 1
    )
    if not is_whole:
        return None
    return ImageVectors(
        encoder.name,
        found["places"],
        found["features"],
        found["colours"],
        found["sizes"],
        tuple((str(processid), str(reason)) for processid, reason in found["damaged"]),
        float(found["seconds"]),
    )
