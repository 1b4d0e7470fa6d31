"""From the draft to the bytes of BOLD-like records files.

Belongs here: the order of rows, the columns of a layout, tab-separated text and its compression. Does not
belong here: what the rows say.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl

from bioscan_etl.demo.draft import BATCHES, FILES, TRUNCATED_FILE, Draft
from bioscan_etl.demo.layouts import LAYOUT_2023, Layout
from bioscan_etl.demo.sequences import LENGTH, Indices, as_text

_SLICE = 50_000
_CONSTANTS = {
    "kingdom": "Animalia",
    "inst": "Institute of Synthetic Entomology",
    "marker_code": "COI-5P",
    "sequence_run_site": "Institute of Synthetic Entomology",
    "voucher_type": "Vouchered:Registered Collection",
    "sampling_protocol": "Malaise Trap",
    "nuc_basecount": str(LENGTH),
    "reproduction": "S",
    "tissue_type": "Whole Voucher",
}


def row_orders(draft: Draft, rng: np.random.Generator) -> list[Indices]:
    """The rows of each records file in their order; rows of one specimen are not adjacent."""
    extra = np.array(draft.extra, np.int64).reshape(-1, 2)
    file = np.concatenate([draft.file, extra[:, 1]])
    orders = [rng.permutation(np.flatnonzero(file == number)) for number in range(len(FILES))]
    # The row that the broken file ends in is its last.
    broken = orders[TRUNCATED_FILE]
    orders[TRUNCATED_FILE] = np.concatenate([broken[broken != broken.max()], [broken.max()]])
    return orders


def write_records(draft: Draft, order: Indices, file: int, path: Path) -> None:
    """Write one records file; the truncated one gzipped and cut within its last row."""
    layout = BATCHES[FILES[file]].layout
    header = "\t".join(layout.header).encode() + b"\n"
    if file == TRUNCATED_FILE:
        *whole, last = (line + b"\n" for piece in _pieces(draft, order, layout) for line in piece.splitlines())
        path.write_bytes(_broken_gzip(header + b"".join(whole), last))
        return
    with path.open("wb") as stream:
        stream.write(header)
        for piece in _pieces(draft, order, layout):
            stream.write(piece)


def _broken_gzip(whole: bytes, last: bytes) -> bytes:
    """A gzip stream that gives `whole` back and breaks off within `last`."""
    packer = zlib.compressobj(6, zlib.DEFLATED, 31)
    head = packer.compress(whole) + packer.flush(zlib.Z_FULL_FLUSH)
    # Stored as they are, so half of the bytes give half of the row.
    stored = zlib.compressobj(0, zlib.DEFLATED, -15)
    return head + stored.compress(last[: len(last) // 2]) + stored.flush(zlib.Z_SYNC_FLUSH)


def _pieces(draft: Draft, order: Indices, layout: Layout) -> Iterator[bytes]:
    """The file's rows as text, some thousands at a time, so memory does not grow with the corpus."""
    source = np.concatenate([np.arange(len(draft.specimens)), [specimen for specimen, _ in draft.extra]]).astype(
        np.int64
    )
    edits = {
        column: pl.DataFrame(
            {"row": list(changed), column: list(changed.values())}, schema={"row": pl.Int64, column: pl.String}
        )
        for column, changed in ((column, dict(pairs)) for column, pairs in draft.edits.items())
    }
    for start in range(0, len(order), _SLICE):
        rows = order[start : start + _SLICE]
        frame = _canonical(draft, rows, source[rows], edits, layout)
        text = frame.write_csv(include_header=False, separator="\t", quote_style="never").encode()
        broken = [position for position, row in enumerate(rows.tolist()) if row in draft.raw_rows]
        if broken:
            lines = text.split(b"\n")
            for position in broken:
                lines[position] = draft.raw_rows[int(rows[position])]
            text = b"\n".join(lines)
        yield text


def _canonical(
    draft: Draft, rows: Indices, source: Indices, edits: dict[str, pl.DataFrame], layout: Layout
) -> pl.DataFrame:
    """The rows under the layout's own column names, everything as text."""
    frame = draft.specimens[source].with_columns(
        pl.Series("row", rows),
        pl.Series("nuc", as_text(draft.barcodes[draft.haplotype[source]])),
        *(pl.lit(value).alias(name) for name, value in _CONSTANTS.items()),
    )
    if layout is LAYOUT_2023:
        frame = frame.with_columns(collection_date_start=pl.lit("None"))
    frame = frame.with_columns(record_id=pl.col("processid") + ".COI-5P")
    wanted = {layout.source(column) for column in layout.header}
    missing = sorted(wanted - set(frame.columns))
    frame = frame.with_columns(pl.lit("" if name in layout.blank_columns else "None").alias(name) for name in missing)
    for column, changed in edits.items():
        if column in wanted:
            frame = frame.update(changed, on="row", how="left", maintain_order="left")
    return frame.select(pl.col(layout.source(column)).alias(column) for column in layout.header)
