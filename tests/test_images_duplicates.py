"""Images that several specimens share, exactly or nearly."""

import numpy as np
import polars as pl
from examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from bioscan_etl.images.duplicates import duplicate_flags
from bioscan_etl.settings import ImageSettings

SETTINGS = ImageSettings()


def boxes(hashes: list[int | None], files: list[str | None] | None = None) -> pl.DataFrame:
    names = files or [f"file{number}" for number in range(len(hashes))]
    return pl.DataFrame(
        {"processid": [f"A-{n:04d}" for n in range(len(hashes))], "sha256": names, "dhash": hashes},
        schema={"processid": pl.String, "sha256": pl.String, "dhash": pl.UInt64},
    )


def test_exact_and_near_duplicates_are_told_apart() -> None:
    frame = boxes([5, 5, 5 ^ 0b1111, 5 ^ (0b11111 << 20), None, None], ["a", "a", "b", "c", None, None])
    assert duplicate_flags(frame, SETTINGS).rows() == [
        ("A-0000", ["EXACT_DUPLICATE_IMAGE", "NEAR_DUPLICATE_IMAGE"]),
        ("A-0001", ["EXACT_DUPLICATE_IMAGE", "NEAR_DUPLICATE_IMAGE"]),
        ("A-0002", ["NEAR_DUPLICATE_IMAGE"]),
    ]
    assert duplicate_flags(frame.head(2), SETTINGS)["flags"].to_list() == [["EXACT_DUPLICATE_IMAGE"]] * 2
    assert duplicate_flags(frame.head(0), SETTINGS).schema == {"processid": pl.String, "flags": pl.List(pl.String)}


@settings(max_examples=examples(60), deadline=None)
@given(st.data(), st.integers(0, 16))
def test_near_duplicates_are_those_of_all_pairs(data: st.DataObject, bits: int) -> None:
    seeds = data.draw(st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=4))
    flips = st.sets(st.integers(0, 63), max_size=18)
    hashes = []
    for seed in seeds:
        for flipped in data.draw(st.lists(flips, max_size=6)):
            hashes.append(seed ^ sum(1 << bit for bit in flipped))
    wanted = [
        f"A-{one:04d}"
        for one, value in enumerate(hashes)
        if any(one != two and (value ^ other).bit_count() <= bits for two, other in enumerate(hashes))
    ]
    found = duplicate_flags(boxes(hashes), ImageSettings(near_duplicate_bits=bits))
    assert found["processid"].to_list() == wanted


def test_many_nearly_equal_hashes_stay_cheap() -> None:
    # All agree in 48 bits: a comparison of all pairs would be 200 million.
    hashes = (np.arange(20_000, dtype=np.uint64) * np.uint64(3)).tolist()
    assert duplicate_flags(boxes(hashes), SETTINGS).height == 20_000
