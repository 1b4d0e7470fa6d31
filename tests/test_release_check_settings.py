"""A release that misstates a setting is caught: only its manifest is changed, and the check names the setting."""

import json
import random
import shutil
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest
from framed_barcodes import drawn
from release_pipeline import Ingested, ingest_all, released
from taxonomy_corpus import specimens

from bioscan_etl import schema
from bioscan_etl.barcodes.distinct import numbered
from bioscan_etl.demo.corpus import DemoBatch, write_demo
from bioscan_etl.images.crop import crop, encode_jpeg
from bioscan_etl.release import manifest
from bioscan_etl.release.check import check, tables
from bioscan_etl.release.check import settings_images as check_settings_images
from bioscan_etl.release.check import settings_logs as check_settings_logs
from bioscan_etl.release.check import settings_rows as check_settings_rows
from bioscan_etl.release.check import settings_splits as check_settings_splits
from bioscan_etl.release.check.agreement import held
from bioscan_etl.release.check.corpus import ROWS, barcode_hash, invariants
from bioscan_etl.release.check.settings import VERIFIED, read_stated
from bioscan_etl.settings import ImageSettings, ReleaseSettings, Settings, TaxonomySettings
from bioscan_etl.taxonomy.curate import curate

PACKAGES = ("original_256", "cropped", "cropped_256")


@pytest.fixture(scope="module")
def demo(tmp_path_factory) -> tuple[DemoBatch, ...]:
    """Deliveries that have something of every flag."""
    return write_demo(tmp_path_factory.mktemp("demo")).batches


@pytest.fixture(scope="module")
def ingested(demo, tmp_path_factory) -> Ingested:
    """The demo corpus, ingested with the default settings."""
    return ingest_all(demo, tmp_path_factory.mktemp("lake"), Settings())


@pytest.fixture(scope="module")
def published(ingested, tmp_path_factory) -> dict[str, Path]:
    """A true release by protocol."""
    # With overlaps kept together, a manifest that states another protocol would contradict itself.
    return {
        protocol: released(
            ingested,
            tmp_path_factory.mktemp(protocol),
            Settings(splits={"protocol": protocol, "keep_overlaps_together": False}),
        )
        for protocol in ("bioscan-5m", "stable")
    }


def restated(release: Path, folder: Path, *changes: tuple[str, object]) -> Path:
    """A copy of a release, by links, whose manifest states other settings."""
    root = folder / release.name
    shutil.copytree(release, root, copy_function=lambda source, target: Path(target).hardlink_to(source))
    document = json.loads((root / manifest.MANIFEST).read_text())
    (root / manifest.MANIFEST).unlink()
    for name, value in changes:
        section, _, field = name.partition(".")
        if field:
            document["settings"][section][field] = value
        else:
            document["settings"][section] = value
    files = document.pop("files")
    manifest.write_manifest(root, document, files)
    return root


# Setting, another value than the release was made with, the words of a fault, and the protocol if not bioscan-5m.
MISSTATED = [
    ("records.marker", "ITS", "'duplicate_marker_row' with the marker 'COI-5P'"),
    ("records.null_markers", ["None", "", "[NULL]", "Unknown"], "was delivered as 'Unknown'"),
    ("barcodes.min_length", 300, "has the flag BARCODE_SHORT"),
    ("barcodes.min_length", 640, "lacks the flag BARCODE_SHORT"),
    ("barcodes.max_length", 700, "has the flag BARCODE_LONG"),
    ("barcodes.max_length", 650, "lacks the flag BARCODE_LONG"),
    ("barcodes.max_ambiguous_share", 0.0, "2 of 658 letters are N"),
    ("barcodes.genetic_code", 1, "lacks the flag NO_OPEN_READING_FRAME"),
    ("barcodes.genetic_code", 2, "lacks the flag NO_OPEN_READING_FRAME"),
    ("barcodes.min_homopolymer", 30, "has the flag HOMOPOLYMER"),
    ("barcodes.min_homopolymer", 6, "lacks the flag HOMOPOLYMER"),
    ("barcodes.max_low_complexity_share", 0.9, "has the flag LOW_COMPLEXITY"),
    ("barcodes.max_low_complexity_share", 0.05, "lacks the flag LOW_COMPLEXITY"),
    ("geography.rounded_decimals", 4, "lacks the flag COORDINATE_ROUNDED"),
    ("geography.apply_coordinate_fixes", True, "a proposed fix that was not applied"),
    ("taxonomy.majority_share", 1.0, "won with 11 of 12 records"),
    ("taxonomy.minimum_support", 12, "won with 11 of 12 records"),
    ("taxonomy.infer_from_barcode", False, "'INFERRED_FROM_BARCODE'"),
    ("taxonomy.typo_fix", False, "'NAME_TYPO_FIXED'"),
    ("taxonomy.typo_rarity", 0.05, "with 1 records against 11"),
    ("taxonomy.typo_min_length", 20, "the short name"),
    ("images.crop_margin", 1.0, "is 542 x 407; images.crop_margin 1 and images.crop_aspect (4, 3) give 833 x 625"),
    ("images.crop_margin", 0.39, "give"),
    ("images.crop_aspect", [1, 1], "is 542 x 407"),
    ("images.crop_fill", [204, 218, 230], "is of the colour (204, 218, 24"),
    ("images.short_side", 300, "is 341 x 256, its shorter side not 300"),
    ("images.jpeg_quality", 76, "has quantisation tables of quality 75"),
    ("images.exposure_range", [200, 250], "lacks the flag BADLY_EXPOSED"),
    ("images.exposure_range", [0, 255], "has the flag BADLY_EXPOSED"),
    ("images.fragment_fraction", 0.05, "lacks the flag FRAGMENT"),
    ("images.max_pixels", 786_431, "has 1024 x 768 px"),
    ("images.min_confidence", 1.0, "is 'detected' at the confidence"),
    ("gates.require_image", False, "is held by the gate NO_IMAGE"),
    ("gates.image_statuses", ["detected", "multiple"], "is held for the image status 'multiple'"),
    ("gates.image_statuses", ["low_confidence"], "is released with the image status 'detected'"),
    ("gates.require_bin", True, "has no BIN"),
    ("gates.image_flags", ["BADLY_EXPOSED"], "is released with an image flag of"),
    ("gates.scope", {"phylum": ["Chordata"]}, "has the phylum 'Arthropoda', against gates.scope"),
    ("gates.min_unambiguous_run", 300, "its longest run of A, C, G, T has"),
    ("splits.protocol", "stable", "partition_memory.parquet: is missing"),
    ("splits.protocol", "bioscan-5m", "remembers nothing", "stable"),
    ("splits.seed", 7, "splits.protocol stable puts it in", "stable"),
    ("splits.keep_bins_together", True, "is in several partitions", "stable"),
    ("release.dataset", "other", "dataset 'bioscan5m'"),
    ("release.title", "Other", "title 'BIOSCAN_5M_Insect'"),
    ("release.image_packages", ["cropped", "cropped_256"], "image_packages ['original_256'"),
    ("release.hdf5_packages", [], "hdf5_packages ['cropped_256']"),
    ("release.forms", ["jsonld", "data_images", "partitioned", "splits", "bbox", "croissant"], "datapackage.json"),
    ("release.rows_per_group", 4, "has row groups of"),
    ("release.rows_per_shard", 4, "has 19 rows"),
    ("release.images_per_group", 4, "has row groups of"),
    ("release.images_per_shard", 4, "has 19 rows"),
    ("release.copyright_holder", "Nobody", "croissant.json"),
    ("release.image_institution", "Nobody", "its attribute Institution is"),
    ("release.image_photographer", "Nobody", "its attribute Photographer is"),
    ("release.image_year", "1999", "its attribute Year is"),
    ("release.image_license", "CC0", "'CC BY 3.0'"),
    ("release.home_page", "https://example.org", "croissant.json"),
    ("release.citation", "Nobody (2024)", "croissant.json"),
]

# Another value of all settings at once, and what is found of each where the manifest states the default.
OTHERWISE = [
    ("barcodes.min_length", 640, "has the flag BARCODE_SHORT"),
    ("barcodes.max_length", 655, "has the flag BARCODE_LONG"),
    ("barcodes.max_ambiguous_share", 0.0, "has the flag BARCODE_AMBIGUOUS"),
    ("barcodes.genetic_code", 2, "has the flag NO_OPEN_READING_FRAME"),
    ("barcodes.min_homopolymer", 6, "has the flag HOMOPOLYMER"),
    ("barcodes.max_low_complexity_share", 0.06, "has the flag LOW_COMPLEXITY"),
    ("geography.rounded_decimals", 4, "has the flag COORDINATE_ROUNDED"),
    ("geography.apply_coordinate_fixes", True, "'PRESUMED_SWAPPED_COORDINATE'"),
    ("taxonomy.infer_from_barcode", False, "'BARCODE_PARTLY_LABELLED'"),
    ("taxonomy.infer_from_bin", True, "'INFERRED_FROM_BIN'"),
    ("taxonomy.resolve_in_bin", True, "'BIN_CONFLICT_CLEARED'"),
    ("images.crop_margin", 0.6, "and images.crop_aspect (3, 2) give"),
    ("images.crop_aspect", [3, 2], "is "),
    ("images.crop_fill", [10, 200, 30], "outside the original; images.crop_fill is (204, 218, 243)"),
    ("images.short_side", 128, "its shorter side not 256"),
    ("images.jpeg_quality", 90, "has quantisation tables of quality 90"),
    ("images.exposure_range", [100, 160], "has the flag BADLY_EXPOSED"),
    ("images.fragment_fraction", 0.05, "has the flag FRAGMENT"),
    ("gates.image_statuses", ["detected", "multiple"], "is released with the image status 'multiple'"),
    ("gates.require_bin", True, "is held by the gate NO_BIN"),
    ("gates.min_unambiguous_run", 20, "against gates.min_unambiguous_run 200"),
    ("splits.keep_bins_together", True, "puts it in"),
    ("release.rows_per_shard", 7, ""),
    ("release.packed_packages", ["cropped_256"], "hdf5/cropped_256.packed.hdf5"),
    ("release.zip_packages", ["cropped_256"], "cropped_256_train"),
    ("release.webdataset_packages", ["cropped_256"], "cropped_256_train-000000.tar"),
    ("release.images_per_zip", 9, ""),
    ("release.samples_per_tar", 9, ""),
    ("release.forms", [*ReleaseSettings().forms, "barcodebert"], "though release.forms does not name barcodebert"),
    ("release.barcodebert_rows", "all", "data does not have it"),
]
# Smaller files than the default allows are seen where one follows, larger ones always; archives by their names.
_BY_OTHER_CHECKS = {"release.images_per_zip": "packages/", "release.samples_per_tar": "packages/"}
_BY_OTHER_CHECKS |= {"release.barcodebert_rows": "barcodebert/"}


@pytest.mark.slow
@pytest.mark.parametrize("protocol", ["bioscan-5m", "stable"])
def test_a_true_release_has_no_fault(published, protocol):
    assert check(published[protocol], "all") == []


GROUPS = {"images.crop_margin": "crop", "images.crop_aspect": "crop", "images.crop_fill": "crop"}
GROUPS |= {"images.exposure_range": "crop", "gates.require_image": "status", "gates.image_statuses": "status"}
GROUPS |= dict.fromkeys(
    ("release.zip_packages", "release.webdataset_packages", "release.images_per_zip", "release.samples_per_tar"),
    "archives",
)
# A form is checked where it is asked for, and of files that nobody asked for not all are listed.
GROUPS |= dict.fromkeys(("release.forms", "release.barcodebert_rows"), "archives")
GROUPS |= {f"splits.{name}": "splits" for name in ("protocol", "seed", "keep_bins_together")}


def in_rounds(cases):
    """Cases by protocol and round: in one round are settings of which none hides the faults of another."""
    rounds, seen = {}, Counter()
    for case in cases:
        name, _, _, *protocol = case
        group = GROUPS.get(name, name)
        rounds.setdefault((*protocol, "bioscan-5m")[0], {}).setdefault(seen[group], []).append(case)
        seen[group] += 1
    return rounds


def faults_in_rounds(folders, releases, cases):
    """A function that gives the faults of a release which misstates the setting of a case, and its round's with it."""
    rounds, found = in_rounds(cases), {}

    def faults(case):
        protocol = (*case[3:], "bioscan-5m")[0]
        number = next(number for number, cases in rounds[protocol].items() if case in cases)
        if (protocol, number) not in found:
            values = ((name, value) for name, value, *_ in rounds[protocol][number])
            root = restated(releases[protocol], folders.mktemp("restated"), *values)
            found[protocol, number] = list(map(str, check(root)))
        return found[protocol, number]

    return faults


@pytest.fixture(scope="module")
def misstated(published, tmp_path_factory):
    return faults_in_rounds(tmp_path_factory, published, MISSTATED)


@pytest.mark.slow
@pytest.mark.parametrize("case", MISSTATED, ids=lambda case: f"{case[0]}={case[1]}")
def test_a_misstated_setting_is_named(misstated, case):
    name, _, words, *_ = case
    texts = misstated(case)
    assert any(name in text and words in text for text in texts), "\n".join(texts) or "nothing was found"


def with_gap_in_a_bin(specimens: pl.DataFrame) -> pl.DataFrame:
    """Take the species of one of several barcodes of a BIN, which infer_from_bin fills again."""
    own = (pl.len().over("dna_barcode") == 1) & (pl.len().over("dna_bin") > 2) & pl.col("species").is_not_null()
    sound = own & (pl.col("species").n_unique().over("dna_bin") == 1) & (pl.col("gates").list.len() == 0)
    chosen = specimens.filter(sound)["processid"].head(3).to_list()
    kept = ~pl.col("processid").is_in(chosen)
    return specimens.with_columns(
        *(pl.when(kept).then(name).alias(name) for name in ("species", "species_verbatim")),
        species_name_type=pl.when(kept).then("species_name_type").otherwise(pl.lit("NO_NAME")),
    )


@pytest.fixture(scope="module")
def otherwise(demo, tmp_path_factory) -> Path:
    """A true release that was made with other values of most settings."""
    chosen: dict[str, dict[str, object]] = {"splits": {"protocol": "stable"}}
    for name, value, _ in OTHERWISE:
        section, field = name.split(".")
        chosen.setdefault(section, {})[field] = value
    settings = Settings.model_validate(chosen)
    folder = tmp_path_factory.mktemp("otherwise")
    return released(ingest_all(demo, folder / "lake", settings), folder, settings, with_gap_in_a_bin)


@pytest.mark.slow
def test_a_true_release_of_other_settings_has_no_fault(otherwise):
    assert check(otherwise, "all") == []


@pytest.fixture(scope="module")
def as_default(otherwise, tmp_path_factory):
    plain = Settings().model_dump(mode="json")
    cases = [(name, plain[name.split(".")[0]][name.split(".")[1]], words) for name, _, words in OTHERWISE]
    faults = faults_in_rounds(tmp_path_factory, {"bioscan-5m": otherwise}, cases)
    return {case[0]: faults(case) for case in cases}


@pytest.mark.slow
@pytest.mark.parametrize("case", OTHERWISE, ids=lambda case: f"{case[0]}={case[1]}")
def test_other_settings_do_not_pass_for_the_default(as_default, case):
    name, _, words = case
    texts = as_default[name]
    assert any(_BY_OTHER_CHECKS.get(name, name) in text and words in text for text in texts), "\n".join(texts)


@pytest.mark.slow
def test_a_release_that_requires_no_image_does_not_pass_for_one_that_does(ingested, tmp_path):
    settings = Settings(gates={"require_image": False})
    release = released(ingested, tmp_path, settings)
    assert check(release) == []
    texts = list(map(str, check(restated(release, tmp_path / "restated", ("gates.require_image", True)))))
    assert any("has no image; gates.require_image is True" in text for text in texts), texts


@pytest.mark.slow
def test_settings_that_no_version_or_an_earlier_one_states_are_no_faults(published, tmp_path):
    root = restated(published["bioscan-5m"], tmp_path, ("images.sharpened", True), ("automation", {"x": 1}))
    assert check(root) == []
    root = restated(published["bioscan-5m"], tmp_path / "less", ("images", {}), ("splits", {}), ("release", {}))
    assert check(root) == []


# No values of their settings, or such that nothing can be computed with them.
HOSTILE = [
    ("images.crop_margin", "0.4"),
    ("images.crop_margin", None),
    ("images.crop_margin", float("inf")),
    ("images.crop_margin", float("nan")),
    ("images.crop_margin", 1e300),
    ("images.crop_aspect", [10**400, 3]),
    ("images.crop_aspect", {"a": 10**5000}),
    ("images.crop_aspect", [4, 3, 2]),
    ("images.jpeg_quality", 0),
    ("images.jpeg_quality", True),
    ("barcodes.min_length", 10**30),
    ("barcodes.genetic_code", 3),
    ("gates.image_statuses", [1]),
    ("records.marker", ["{0.__class__}"]),
    ("splits.seed", 1 << 63),
    ("splits.protocol", "none\nof them"),
]


@pytest.mark.parametrize(("name", "value"), HOSTILE)
def test_no_value_of_a_setting_is_a_fault_and_no_evidence(name, value):
    section, field = name.split(".")
    document = Settings().choices()
    document[section][field] = value
    stated, faults = read_stated(document)
    assert [fault.file for fault in faults] == ["manifest.json"]
    assert f"settings.{name}: " in faults[0].fault
    assert "\n" not in str(faults[0])
    assert name not in stated
    assert stated[name] == getattr(getattr(Settings(), section), field)
    others = set(VERIFIED) - {name}
    assert {other for other in others if other not in stated} == set()


def test_sections_that_are_no_tables_or_contradict_themselves_are_faults():
    document = Settings().choices() | {"images": [1], "splits": {"protocol": "bioscan-5m", "keep_bins_together": True}}
    stated, faults = read_stated(document)
    assert {fault.fault.split(":")[0] for fault in faults} == {"settings.images", "settings.splits"}
    assert "images.crop_margin" not in stated
    assert "splits.protocol" not in stated
    assert "barcodes.min_length" in stated
    assert read_stated({"unknown": 1, "images": {"unknown": []}})[1] == []


def test_extreme_values_that_settings_allow_are_computed_with():
    huge = {"barcodes.min_homopolymer": 100_000, "gates.min_unambiguous_run": 100_000, "images.crop_margin": 10.0}
    document = Settings().choices()
    for name, value in huge.items():
        document[name.split(".")[0]][name.split(".")[1]] = value
    stated, faults = read_stated(document)
    assert faults == []
    found = list(check_settings_rows.check(stated, held("data", rows(dna_barcode=SOUND[:550])), *NOBODY))
    assert [fault.fault for fault in found] == [
        "its longest run of A, C, G, T has 550 bp, against gates.min_unambiguous_run 100000"
    ]
    frame = check_settings_images._frame((1024, 768, 10, 20, 30, 50), stated)
    assert frame.width > 300


# No stop codon of any code, no run and no repeats.
SOUND = "".join(random.Random(7).choices("CGT", k=600))
NOBODY = (pl.Series(dtype=pl.String), pl.Series(dtype=pl.String))


def stated_with(**sections):
    document = Settings().choices()
    for section, fields in sections.items():
        document[section] |= fields
    return read_stated(document)[0]


def rows(flags=(), phylum="Arthropoda", **values):
    """A released row, as far as flags and gates are computed from it."""
    row = {
        "processid": "A-1",
        "flags": list(flags),
        "dna_barcode": SOUND,
        "dna_bin": None,
        "phylum": phylum,
        "coord-lat": None,
        "coord-lon": None,
        "area_fraction": 0.1,
        "image_status": "detected",
        "confidence": 0.9,
    }
    dtypes = {name: schema.METADATA_EXTENDED[name].dtype for name in row}
    return pl.DataFrame([row | values], schema=dtypes)


def found_in(frame, relabelled=(), **sections):
    relabelled = pl.Series(relabelled, dtype=pl.String)
    form = held("data", frame)
    return [fault.fault for fault in check_settings_rows.check(stated_with(**sections), form, relabelled, NOBODY[1])]


def test_reading_frames_are_held_against_the_code_of_the_lineage():
    # A stop of code 2 in all three frames, and none of code 5.
    closed = f"{SOUND[:300]}CAGACAGACAGAC{SOUND[300:]}"
    assert found_in(rows(dna_barcode=closed)) == []
    (fault,) = found_in(rows(dna_barcode=closed), barcodes={"genetic_code": 2})
    assert "lacks the flag NO_OPEN_READING_FRAME, which barcodes.genetic_code 2 gives" in fault
    for spared in ({"phylum": "Chordata"}, {"flags": ["NO_OPEN_READING_FRAME"]}):
        assert found_in(rows(dna_barcode=closed, **spared), barcodes={"genetic_code": 2}, gates={"scope": {}}) == []
    assert found_in(rows(dna_barcode=closed), relabelled=["A-1"], barcodes={"genetic_code": 2}) == []
    (fault,) = found_in(rows(flags=["NO_OPEN_READING_FRAME"]))
    assert "has the flag NO_OPEN_READING_FRAME" in fault
    # TAR is a stop, and is released as TAN.
    assert found_in(rows(flags=["NO_OPEN_READING_FRAME", "BARCODE_CODE_TO_N"])) == []


@pytest.mark.parametrize("length", [499, 500, 660, 661])
def test_lengths_are_those_without_n_at_the_ends(length):
    flags = ["BARCODE_SHORT"] if length < 500 else ["BARCODE_LONG"] if length > 660 else []
    barcode = f"NN{(SOUND + SOUND)[:length]}N"
    assert found_in(rows(flags, dna_barcode=barcode)) == []
    (fault,) = found_in(rows([] if flags else ["BARCODE_SHORT"], dna_barcode=barcode))
    assert fault.endswith(f"{length} bp")


def votes(*counts, settings=None):
    """The change log of records that share a barcode; labels A, B, ... as often as given."""
    species = [f"Aus {'abc'[n]}us" for n, count in enumerate(counts) for _ in range(count)]
    ranks = {"phylum": "Arthropoda", "class": "Insecta", "order": "Diptera", "family": "Aidae", "subfamily": "Ainae"}
    frame = specimens([{**ranks, "genus": "Aus", "species": name, "dna_barcode": "ACGT"} for name in species])
    return curate(frame, settings or Settings().taxonomy).changes


def found_in_log(folder, changes, **sections):
    folder.mkdir(exist_ok=True)
    changes.write_parquet(folder / "changes.parquet")
    return [fault.fault for fault in check_settings_logs.check(folder, stated_with(**sections)).faults.faults()]


def test_votes_are_counted_again(tmp_path):
    lost = votes(4, 1)
    assert set(lost["rule"]) == {"BARCODE_CONFLICT"}
    assert found_in_log(tmp_path, lost) == []
    found = found_in_log(tmp_path, lost, taxonomy={"majority_share": 0.8})
    assert len(found) == 5
    assert "'species' was cleared although a label had 4 of 5 records, against taxonomy.majority_share 0.8" in found[0]
    assert found_in_log(tmp_path, lost, taxonomy={"majority_share": 0.8, "minimum_support": 5}) == []
    won = votes(4, 1, settings=TaxonomySettings(majority_share=0.8))
    assert found_in_log(tmp_path, won, taxonomy={"majority_share": 0.8}) == []
    (fault,) = found_in_log(tmp_path, won)
    assert fault == "the 'species' 'Aus aus' won with 4 of 5 records, against taxonomy.majority_share 0.9"
    assert found_in_log(tmp_path, won, taxonomy={"majority_share": 0.8, "minimum_support": 5})


def test_evidence_of_no_form_that_is_known_is_passed_over(tmp_path):
    for text in (None, "", "x", "species of the barcode's 99999999999999999999 labelled records: A (1)", "{0}"):
        changes = votes(4, 1).with_columns(evidence=pl.lit(text, pl.String))
        assert found_in_log(tmp_path, changes, taxonomy={"majority_share": 0.51}) == []
        mended = changes.with_columns(rule=pl.lit("NAME_TYPO_FIXED"), before=pl.lit("Aus bus"), after=pl.lit("Aus bu"))
        assert (
            found_in_log(tmp_path, mended, taxonomy={"typo_rarity": 0.0, "typo_min_length": 3})
            == ["the short name 'Aus bus' became 'Aus bu', against taxonomy.typo_min_length 3"] * mended.height
        )


@pytest.mark.parametrize(
    ("gates", "flags", "stated", "fault"),
    [
        (["IMAGE_FLAG"], ["NO_ORGANISM_PIXELS"], {}, None),
        (["IMAGE_STATUS"], ["FRAGMENT"], {}, None),
        (["IMAGE_FLAG"], ["FRAGMENT"], {}, "is held by the gate IMAGE_FLAG, which its flags do not give: "),
        (["NO_BARCODE"], ["NO_ORGANISM_PIXELS"], {}, "has an image flag and is not held by the gate IMAGE_FLAG, "),
        (["NO_BARCODE"], ["NO_ORGANISM_PIXELS"], {"image_flags": []}, None),
        (["NO_BARCODE"], ["NO_ORGANISM_PIXELS"], {"require_image": False}, None),
        (["IMAGE_FLAG"], ["NO_ORGANISM_PIXELS"], {"require_image": False}, "is held by the gate IMAGE_FLAG, which "),
    ],
)
def test_the_gate_of_image_flags_holds_exactly_what_its_setting_names(tmp_path, gates, flags, stated, fault):
    row = {"processid": "A-1", "gates": gates, "flags": flags, "image_status": "detected"}
    columns = schema.QUARANTINE.schema()
    frame = pl.DataFrame([{name: row.get(name) for name in columns}], schema=columns)
    frame.write_parquet(tmp_path / "quarantine.parquet")
    found = list(check_settings_logs.check(tmp_path, stated_with(gates=stated)).faults.faults())
    mine = [one for one in found if "IMAGE_FLAG" in one.fault]
    assert [one.processid for one in mine] == ([] if fault is None else ["A-1"])
    assert all(one.file == "quarantine.parquet" and one.fault.startswith(fault) for one in mine)


def test_logs_that_are_absent_or_damaged_say_nothing(tmp_path):
    assert check_settings_logs.check(tmp_path, stated_with()).relabelled[0].is_empty()
    (tmp_path / "changes.parquet").write_text("PAR1")
    (tmp_path / "quarantine.parquet").mkdir()
    pl.DataFrame({"processid": [1]}).write_parquet(tmp_path / "set_aside.parquet")
    assert list(check_settings_logs.check(tmp_path, stated_with()).faults.faults()) == []


@pytest.mark.parametrize("box", [(300, 200, 500, 480), (0, 0, 60, 400), (900, 10, 1024, 60), (3, 5, 8, 9)])
@pytest.mark.parametrize("margin", [0.0, 0.4, 1.3])
@pytest.mark.parametrize("aspect", [(4, 3), (1, 1), (2, 3)])
def test_a_crop_is_what_the_image_stage_cuts(box, margin, aspect):
    image = np.full((768, 1024, 3), 90, np.uint8)
    settings = ImageSettings(crop_margin=margin, crop_aspect=aspect)
    cut = crop(image, box, settings)
    stated = stated_with(images={"crop_margin": margin, "crop_aspect": list(aspect)})
    frame = check_settings_images._frame((1024, 768, *box), stated)
    assert (frame.height, frame.width) == cut.shape[:2]
    shown = cut[frame.top : frame.bottom, frame.left : frame.right]
    assert (shown == 90).all()
    assert (cut == 90).all(axis=2).sum() == shown.shape[0] * shown.shape[1]
    outside = check_settings_images._outside(cut, frame)
    assert (outside == settings.crop_fill).all()


@pytest.mark.parametrize("quality", [1, 20, 49, 50, 75, 90, 100])
def test_tables_are_those_that_the_encoder_writes(tmp_path, quality):
    (tmp_path / "a.jpg").write_bytes(encode_jpeg(np.zeros((64, 64, 3), np.uint8), ImageSettings(jpeg_quality=quality)))
    header = check_settings_images._header(tmp_path.resolve(), "a.jpg")
    assert (header.tables[0], header.tables[1]) == check_settings_images._tables(quality)


def test_every_verified_setting_is_misstated():
    by_itself = {"splits.keep_overlaps_together"}  # no barcodes of the releases above overlap
    assert {name for name, *_ in (*MISSTATED, *OTHERWISE)} | by_itself == set(VERIFIED)
    known = {f"{section}.{field}" for section, fields in Settings().choices().items() for field in fields}
    assert set(VERIFIED) <= known
    assert all("\n" not in statement and statement for statement in VERIFIED.values())


def test_an_evaluated_barcode_that_was_trained_on_is_named():
    whole, other = drawn(2)
    rows = pl.DataFrame(
        {
            "processid": ["A", "B", "C", "D"],
            "split": ["train", "test", "val", "pretrain"],
            "dna_barcode": [whole, whole[100:] + "N", other, other[90:]],
        }
    )
    [fault] = overlapping(rows, 300)
    assert (fault.file, fault.processid) == ("data", "B")
    assert fault.fault.startswith(
        "is in 'test', its barcode is the same as one in 'train', against splits.keep_overlaps"
    )
    assert not overlapping(rows, 600)


def overlapping(rows, least):
    table = check_settings_splits._compared(held("data", rows))
    numbers = numbered(table.lazy(), schema.PLACEMENTS.empty().lazy(), least)
    return list(check_settings_splits._overlaps("data", table, numbers, least))


def test_a_specimen_without_a_species_may_follow_only_where_the_settings_keep_more_together():
    barcodes = drawn(3)
    rows = pl.DataFrame(
        {
            "processid": ["A", "B", "C"],
            "split": ["train", "train", "pretrain"],
            "species": ["Aedes a", None, None],
            "dna_barcode": barcodes,
        }
    )
    absent = [
        pl.lit(None, schema.METADATA_EXTENDED[name].dtype).alias(name) for name in ROWS if name not in rows.columns
    ]
    rows = rows.with_columns(absent).sort("processid")
    found = {
        keeps: [(fault.processid, fault.fault) for fault in corpus_invariants(rows, keeps)]
        for keeps in ("", "keep_overlaps_together", "keep_bins_together")
    }
    named = [("B", "is in 'train', but has no species")]
    assert found == {"": named, "keep_overlaps_together": named, "keep_bins_together": []}
    tested = rows.with_columns(split=pl.when(pl.col("split") == "train").then(pl.lit("test")).otherwise("split"))
    assert not corpus_invariants(tested, "keep_overlaps_together")
    assert corpus_invariants(tested, "")


def corpus_invariants(rows, keeps):
    barcodes = rows.select(barcode_hash()).to_series()
    stated = SimpleNamespace(settings={"splits": {keeps: True}})
    return list(invariants(rows.select(ROWS), barcodes, held("data", rows), tables._unlabelled_in(stated)))
