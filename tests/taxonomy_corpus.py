"""Small corpora of labelled specimens for the tests of bioscan_etl.taxonomy."""

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl
from hypothesis import strategies as st

from bioscan_etl import schema
from bioscan_etl.vocabulary import RANKS

MIDGE = ("Arthropoda", "Insecta", "Diptera", "Chironomidae", "Chironominae", "Chironomus", "Chironomus plumosus")


def specimens(rows: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    """Specimens with the columns of schema.SPECIMENS; each row gives ranks, barcode, dna_bin or other columns.

    `labels` sets all seven ranks; verbatim labels are the normalised ones unless given.
    """
    full = []
    for number, row in enumerate(rows):
        values = dict(row)
        ranks = dict(zip(RANKS, values.pop("labels", (None,) * 7), strict=True))
        ranks.update({rank: values.pop(rank) for rank in RANKS if rank in values})
        processid = values.get("processid", f"AAA{number:03d}-23")
        full.append(
            {
                "processid": processid,
                "record_id": f"{processid}.COI-5P",
                "batch": "b",
                "source_file": "f.tsv",
                "source_line": number + 2,
                "genus_name_type": "SCIENTIFIC",
                "species_name_type": "SCIENTIFIC",
                "flags": [],
                "gates": [],
                **{f"{rank}_verbatim": label for rank, label in ranks.items()},
                **ranks,
                **({"dna_barcode": values.pop("barcode")} if "barcode" in values else {}),
                **values,
            }
        )
    given = pl.DataFrame(full, schema_overrides=dict(schema.SPECIMENS.schema()), infer_schema_length=None)
    empty = schema.SPECIMENS.empty()
    return pl.concat([empty, given.cast({n: empty.schema[n] for n in given.columns})], how="diagonal")


def labels(frame: pl.DataFrame) -> list[tuple[str | None, ...]]:
    """The seven labels of each row."""
    return frame.select(RANKS).rows()


def _name(rank: str) -> st.SearchStrategy[str | None]:
    if rank == "species":
        words = ["Genusa bus", "Genusb bus", "Genusa cuscus", "Genusa cuscuss", "Wood421", "sp. 1", "Genusa sp. 5ES"]
    else:
        words = [f"{rank.capitalize()}{letter}" for letter in "abc"] + ["Aus"]
    return st.one_of(st.none(), st.sampled_from(words))


@st.composite
def corpora(draw: st.DrawFn) -> pl.DataFrame:
    """Random small corpora: few names, so they meet in every combination, sane or not."""
    row = st.fixed_dictionaries(
        {
            **{rank: _name(rank) for rank in RANKS},
            "barcode": st.sampled_from([None, "ACGT", "ACGTA", "CCCC"]),
            "dna_bin": st.sampled_from([None, "BOLD:AAA0001", "BOLD:AAA0002"]),
        }
    )
    rows = draw(st.lists(row, max_size=14))
    copies = draw(st.integers(1, 3))
    many = [dict(one) for one in rows for _ in range(copies)]
    for one in many:
        one.update({f"{rank}_verbatim": draw(st.sampled_from([one[rank], " Was  here "])) for rank in ("species",)})
    return specimens(many)
