"""Does a release hold what it states? The checks need nothing but its folder.

Belongs here: the checks of what every release has, and what the checks of the output forms share. Does not belong here:
what a single form must hold; see its module in `release.forms`. Everything in the folder may be damaged or
hostile: a fault is a line in the result, never an exception, and nothing outside the folder is read.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from bioscan_etl.progress import Progress, silent
from bioscan_etl.release.check.faults import Fault
from bioscan_etl.release.check.signature import Vouched

__all__ = ["Fault", "Vouched", "check"]


def check(
    release: Path,
    images: Literal["sample", "all"] = "sample",
    progress: Progress = silent,
    *,
    vouched: Vouched | None = None,
) -> list[Fault]:
    """Verify a release alone, or by what its publisher vouches for too.

    Args:
        release: folder of a version, or a link to it.
        images: decode a fixed sample of each package, or all of them.
        progress: reports checksums and images.
        vouched: keys and sum that are known from elsewhere.

    Returns:
        Faults by file and process ID, in the order of the checks, each once; empty: the release is good.
    """
    from bioscan_etl.release.check.whole import faults  # the forms import parts of this package

    return list(dict.fromkeys(faults(release, images, progress, vouched or Vouched())))
