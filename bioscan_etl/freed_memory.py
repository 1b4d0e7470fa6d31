"""Reuse the memory of one image, or of one block of a table, for the next one.

Belongs here: the setting of the C library's allocator. Does not belong here: what is allocated.

Glibc returns freed large blocks to the system and requests them again, page by page, for the next image. That takes a
third of the time of an image's smaller steps. Other C libraries have no such setting, and need none.
"""

from __future__ import annotations

import ctypes
from functools import cache

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # names of mallopt(3)
_LARGEST_BLOCK = 32 << 20  # bytes; the most that glibc takes
_KEPT = 256 << 20  # bytes of freed memory that stay, per thread at most


@cache
def keep_freed_memory() -> bool:
    """Configure the C library for the whole process, once; returns whether that was possible."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # macOS, Windows, musl
        return False
    return bool(mallopt(_MMAP_THRESHOLD, _LARGEST_BLOCK)) and bool(mallopt(_TRIM_THRESHOLD, _KEPT))


def return_freed_memory() -> bool:
    """Return what `keep_freed_memory` keeps to the system, after work on something large; whether that was possible."""
    try:
        return bool(ctypes.CDLL(None).malloc_trim(0))
    except (AttributeError, OSError, TypeError):
        return False
