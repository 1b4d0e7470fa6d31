"""Released labels against the delivered ones, curated again."""

import polars as pl
import pytest
from taxonomy_corpus import specimens

from bioscan_etl import schema
from bioscan_etl.release.check import labels
from bioscan_etl.release.check.agreement import held
from bioscan_etl.settings import TaxonomySettings
from bioscan_etl.taxonomy.curate import curate
from bioscan_etl.vocabulary import RANKS

LINEAGE = ("Arthropoda", "Insecta", "Diptera", "Culicidae", None, "Aedes")


def corpus(settings):
    """Curated rows as a release has them, and their change log."""
    rows = [
        {"processid": f"P{number}-20", "dna_barcode": barcode, **dict(zip(RANKS, (*LINEAGE, species), strict=True))}
        for number, (barcode, species) in enumerate(
            [("ACGT", "Aedes vexans"), ("ACGT", None), ("AAAA", "Aedes vexans"), ("CCCC", "Aedes cinereus")]
        )
    ]
    rows += [
        {"processid": "P9-20", "dna_barcode": "GGGG", **dict(zip(RANKS, (*LINEAGE[:3], *[None] * 4), strict=True))}
    ]
    curated = curate(specimens(rows), settings)
    given = {"dna_bin", "identification_method", "genus_name_type", "species_name_type"}
    frame = curated.frame
    types = pl.when(pl.col("genus").is_null()).then(pl.lit("NO_NAME")).otherwise(pl.lit("SCIENTIFIC"))
    named = pl.col("processid").is_in(["P0-20", "P2-20", "P3-20"])
    frame = frame.with_columns(
        genus_name_type=types,
        species_name_type=pl.when(named).then(pl.lit("SCIENTIFIC")).otherwise(pl.lit("NO_NAME")),
    )
    assert given <= set(frame.columns)
    columns = [name for name in frame.columns if name in schema.METADATA_EXTENDED.names()]
    return frame.select(columns), curated.changes


def faults(frame, log, settings):
    rows = labels.read(held("data", frame))
    return [
        *labels.hierarchy(rows, log, "data"),
        *labels.inferred_ranks(rows, "data"),
        *labels.check(rows, log, settings, "data"),
    ]


def changed(frame, processid, **values):
    return frame.with_columns(
        pl.when(pl.col("processid") == processid).then(pl.lit(value, frame.schema[name])).otherwise(name).alias(name)
        for name, value in values.items()
    )


@pytest.mark.parametrize("values", [{}, {"infer_from_barcode": False}, {"infer_from_bin": True, "typo_fix": False}])
def test_what_curation_gives_has_no_fault(values):
    settings = TaxonomySettings(**values)
    assert faults(*corpus(settings), settings) == []


@pytest.mark.parametrize(
    ("processid", "values", "words"),
    [
        ("P2-20", {"genus": "Culex"}, "has the species 'Aedes vexans' in the genus 'Culex'"),
        ("P9-20", {"order": None, "family": "Culicidae"}, "has the family 'Culicidae' and no order"),
        ("P3-20", {"species": "AEDES CINEREUS"}, "of which normalising makes 'Aedes cinereus'"),
        ("P3-20", {"species": "Aedes"}, "has the name type 'SCIENTIFIC', not 'DOUBTFUL'"),
        ("P3-20", {"inferred_genus": True, "inferred_ranks": 2}, "inferred_genus is True"),
        ("P1-20", {"inferred_ranks": 0}, "inferred_ranks is 0; the columns inferred_* give 1"),
        ("P1-20", {"flags": []}, "lacks the flag INFERRED_FROM_BARCODE"),
        ("P2-20", {"flags": ["NAME_DOUBTFUL"]}, "has the flag NAME_DOUBTFUL"),
        ("P3-20", {"identification_method": "BOLD ID Engine"}, "lacks the flag IDENTIFICATION_CIRCULAR"),
    ],
)
def test_a_contradiction_is_named(processid, values, words):
    frame, log = corpus(TaxonomySettings())
    found = faults(changed(frame, processid, **values), log, TaxonomySettings())
    assert [fault for fault in found if fault.processid == processid and words in fault.fault], found


def test_a_change_with_other_evidence_is_named():
    frame, log = corpus(TaxonomySettings())
    log = log.with_columns(evidence=pl.when(pl.col("rule") == "INFERRED_FROM_BARCODE").then(pl.lit("9 of 9 records")))
    words = [fault.fault for fault in faults(frame, log, TaxonomySettings()) if fault.processid == "P1-20"]
    assert any("which curation does not make" in one for one in words)
    assert any("which curation makes" in one for one in words)


def test_what_curators_set_is_left_out():
    frame, log = corpus(TaxonomySettings())
    frame = changed(frame, "P9-20", family="Culicidae", flags=["CURATOR_OVERRIDE"])
    row = log.head(1).with_columns(
        processid=pl.lit("P9-20"),
        field=pl.lit("family"),
        step=pl.lit(0, pl.Int32),
        before=pl.lit(None, pl.String),
        after=pl.lit("Culicidae"),
        rule=pl.lit("CURATOR_OVERRIDE"),
    )
    log = pl.concat([log, row]).sort("processid", "field", "step")
    assert faults(frame, log, TaxonomySettings()) == []
