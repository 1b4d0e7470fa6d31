"""JSON objects, one a line, as rows of a schema.

Belongs here: the reading that several forms' checks share. Does not belong here: what the rows must hold.
"""

from __future__ import annotations

import io

import polars as pl
import pyarrow as pa
import pyarrow.json as pa_json


def read_objects(lines: bytes, fields: pa.Schema) -> pl.DataFrame:
    """JSON objects, one a line, as rows; arrow's reader refuses where polars' panics.

    Raises:
        ArrowInvalid: it is not JSON, or has other fields or types than these.
    """
    options = pa_json.ParseOptions(explicit_schema=fields, unexpected_field_behavior="error")
    # A block holds all: a row longer than a block would be an error.
    block = pa_json.ReadOptions(use_threads=False, block_size=len(lines) + 1)
    frame = pl.from_arrow(pa_json.read_json(io.BytesIO(lines), block, options))
    assert isinstance(frame, pl.DataFrame)
    return frame.select(fields.names)
