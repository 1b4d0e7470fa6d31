"""A value of a finished release is changed, and every sum and form is made again: the check names the contradiction.

Each case changes a specimen of its own, so that many are checked in one release. Each must be named with file and
process ID.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import polars as pl
import pytest
from release_pipeline import ingest_all, released
from resealed import boxes_of, image_of, put, remade, rows_of

from bioscan_etl import schema
from bioscan_etl.demo.corpus import write_demo
from bioscan_etl.images.crop import encode_jpeg
from bioscan_etl.images.decode import decode
from bioscan_etl.release.check import Fault, check
from bioscan_etl.settings import ImageSettings, ReleaseSettings, Settings

IMAGES = "bioscan5m/images"
MADE = ("original_256", "cropped", "cropped_256")
SIDES = ("data", "changes.parquet")


class Parts:
    """The tables and images of a release that cases change, a specimen each."""

    def __init__(self, release: Path) -> None:
        self.release = release
        self.rows, self.boxes = rows_of(release), boxes_of(release)
        self.changes = pl.read_parquet(release / "changes.parquet", glob=False)
        self.images: dict[tuple[str, str], bytes] = {}
        self.used: set[str] = set()

    def pick(self, *where: pl.Expr, logged: bool | None = False) -> str:
        """The first unused specimen for which conditions hold; `logged`: whether the log has it, None: either."""
        found = self.rows.filter(*where, ~pl.col("processid").is_in(list(self.used)))
        if logged is not None:
            known = pl.col("processid").is_in(self.changes["processid"].implode())
            found = found.filter(known if logged else ~known)
        processid: str = found["processid"][0]
        self.used.add(processid)
        return processid

    def of(self, processid: str, column: str) -> object:
        return self.rows.filter(pl.col("processid") == processid)[column][0]

    def set(self, processid: str, **values: object) -> str:
        """Change values of a specimen; names with a hyphen are given with `__`."""
        mine = pl.col("processid") == processid
        for key, value in values.items():
            name = key.replace("__", "-")
            literal = pl.lit(value, self.rows.schema[name])
            self.rows = self.rows.with_columns(pl.when(mine).then(literal).otherwise(name).alias(name))
        return processid

    def flag(self, processid: str, *, add: tuple[str, ...] = (), remove: tuple[str, ...] = ()) -> str:
        flags = {*self.of(processid, "flags"), *add} - set(remove)
        return self.set(processid, flags=sorted(flags))

    def box(self, processid: str, **values: int) -> str:
        mine = pl.col("processid") == processid
        for name, value in values.items():
            self.boxes = self.boxes.with_columns(
                pl.when(mine).then(pl.lit(value, self.boxes.schema[name])).otherwise(name).alias(name)
            )
        return processid

    def log(self, processid: str, field: str, **values: object) -> None:
        """Change the last row of the change log of a value."""
        mine = (pl.col("processid") == processid) & (pl.col("field") == field)
        last = self.changes.filter(mine)["step"].max()
        for name, value in values.items():
            literal = pl.lit(value, self.changes.schema[name])
            chosen = pl.when(mine & (pl.col("step") == last)).then(literal).otherwise(name).alias(name)
            self.changes = self.changes.with_columns(chosen)

    def logged(self, rule: str, field: str) -> str:
        """An unused specimen with one change only, of a field by a rule."""
        alone = self.changes.filter(pl.len().over("processid") == 1)
        found = alone.filter(
            pl.col("rule") == rule, pl.col("field") == field, ~pl.col("processid").is_in(list(self.used))
        )
        processid: str = found["processid"][0]
        self.used.add(processid)
        return processid

    def image(self, processid: str, package: str) -> bytes:
        return image_of(self.release, processid, package).read_bytes()

    def remade(self, folder: Path) -> Path:
        def images(tree: Path) -> None:
            for (processid, package), data in self.images.items():
                put(image_of(tree, processid, package), data)

        return remade(
            self.release,
            folder,
            rows=lambda _: self.rows,
            boxes=lambda _: self.boxes,
            logs={"changes.parquet": lambda _: self.changes},
            images=images,
        )


Case = Callable[[Parts], str]
# Name, what it changes, and words of the fault that names it.
CASES: list[tuple[str, Case, str]] = []
LABELLED = pl.col("species_name_type") == "SCIENTIFIC", pl.col("genus").is_not_null()
LONE = (pl.len().over("dna_barcode") == 1,)
LOCATED = pl.col("coord-lat").is_not_null(), pl.col("country_iso").is_not_null()
PLAIN = (pl.col("flags").list.len() == 0,)


def case(words: str) -> Callable[[Case], Case]:
    def add(function: Case) -> Case:
        CASES.append((function.__name__, function, words))
        return function

    return add


# Labels


@case("of which normalising makes")
def a_species_in_capitals(parts: Parts) -> str:
    one = parts.pick(*LABELLED, *LONE)
    name = str(parts.of(one, "species")).upper()
    return parts.set(one, species=name, taxon=name)


@case("has the name type")
def a_species_of_one_word(parts: Parts) -> str:
    one = parts.pick(*LABELLED, *LONE)
    return parts.set(one, species=parts.of(one, "genus"), taxon=parts.of(one, "genus"))


@case("lacks the flag SPECIES_GENUS_MISMATCH")
def a_species_that_does_not_begin_with_its_genus(parts: Parts) -> str:
    one = parts.pick(*LABELLED, *LONE)
    other = parts.rows.filter(pl.col("genus") != parts.of(one, "genus"))["genus"][0]
    return parts.set(one, genus=other)


@case("records have it in")
def a_species_in_two_genera(parts: Parts) -> str:
    one = parts.pick(*LABELLED, *LONE, pl.len().over("species") > 3)
    return parts.set(one, genus="Zzyzxia")


@case("records have it in")
def a_genus_in_two_families(parts: Parts) -> str:
    one = parts.pick(*LABELLED, *LONE, pl.len().over("genus") > 3)
    other = parts.rows.filter(pl.col("family") != parts.of(one, "family"))["family"][0]
    return parts.set(one, family=other)


@case("curation of the delivered labels gives")
def a_family_in_two_orders(parts: Parts) -> str:
    one = parts.pick(*LABELLED, *LONE, pl.len().over("family") > 3)
    return parts.set(one, order="Zoraptera")


@case("and no order")
def a_gap_in_a_lineage(parts: Parts) -> str:
    return parts.set(parts.pick(pl.col("family").is_not_null(), *LONE), order=None)


@case("has the name type 'DOUBTFUL', not")
def a_name_type_that_the_name_has_not(parts: Parts) -> str:
    one = parts.flag(parts.pick(*LABELLED, *LONE), add=("NAME_DOUBTFUL",))
    return parts.set(one, species_name_type="DOUBTFUL")


@case("the flag NAME_DOUBTFUL")
def a_flag_of_a_name_without_cause(parts: Parts) -> str:
    return parts.flag(parts.pick(*LABELLED, *LONE), add=("NAME_DOUBTFUL",))


@case("inferred_species is True")
def an_inference_that_nothing_allows(parts: Parts) -> str:
    return parts.set(parts.pick(*LABELLED, *LONE), inferred_species=True, inferred_ranks=1)


@case("the columns inferred_* give 0")
def a_number_of_inferred_ranks_without_one(parts: Parts) -> str:
    return parts.set(parts.pick(*LABELLED, *LONE), inferred_ranks=3)


@case("curation of the delivered labels gives True")
def an_inference_that_is_denied(parts: Parts) -> str:
    one = parts.pick(pl.col("inferred_species"), logged=None)
    return parts.set(one, inferred_species=False, inferred_genus=False, inferred_ranks=0)


@case("lacks the flag IDENTIFICATION_CIRCULAR")
def a_circular_identification_without_its_flag(parts: Parts) -> str:
    one = parts.pick(~pl.col("flags").list.contains("IDENTIFICATION_CIRCULAR"))
    return parts.set(one, identification_method="BIN Taxonomy Match (Jun 2020)")


@case("lacks the flag BIN_CONFLICT")
def a_bin_of_another_genus(parts: Parts) -> str:
    one = parts.pick(*LABELLED, *LONE, pl.col("dna_bin").is_not_null())
    others = pl.col("genus") != parts.of(one, "genus"), pl.col("dna_bin").is_not_null()
    other = parts.rows.filter(*others, ~pl.col("flags").list.contains("BIN_CONFLICT"))["dna_bin"][0]
    return parts.set(one, dna_bin=other)


# The change log


@case("leaves")
def a_label_that_the_log_leaves_otherwise(parts: Parts) -> str:
    one = parts.logged("UNASSIGNED_FILLER", "subfamily")
    return parts.set(one, subfamily=f"{parts.of(one, 'subfamily')}x")


@case("has no change by 'UNASSIGNED_FILLER'")
def a_change_that_is_not_logged(parts: Parts) -> str:
    one = parts.logged("UNASSIGNED_FILLER", "subfamily")
    parts.changes = parts.changes.filter(pl.col("processid") != one)
    return one


@case("which curation does not make")
def a_change_by_another_rule(parts: Parts) -> str:
    one = parts.logged("UNASSIGNED_FILLER", "subfamily")
    parts.log(one, "subfamily", rule="INFERRED_FROM_LINEAGE")
    return parts.flag(one, add=("INFERRED_FROM_LINEAGE",), remove=("UNASSIGNED_FILLER",))


@case("to the same value")
def a_change_of_nothing(parts: Parts) -> str:
    one = parts.logged("UNASSIGNED_FILLER", "subfamily")
    parts.log(one, "subfamily", before=parts.of(one, "subfamily"))
    return one


@case("is no rule that changes values")
def a_change_by_no_rule(parts: Parts) -> str:
    one = parts.logged("UNASSIGNED_FILLER", "subfamily")
    parts.log(one, "subfamily", rule="GUESSED")
    return one


@case("is not step 0")
def a_step_that_is_missing(parts: Parts) -> str:
    one = parts.logged("UNASSIGNED_FILLER", "subfamily")
    parts.log(one, "subfamily", step=4)
    return one


@case("a specimen that data does not have")
def a_change_of_no_specimen(parts: Parts) -> str:
    one = parts.changes.filter(pl.col("rule") == "UNASSIGNED_FILLER").head(1)
    parts.changes = pl.concat([parts.changes, one.with_columns(processid=pl.lit("ZZZZZ001-20"))])
    return "ZZZZZ001-20"


@case("is 'Czech")
def a_country_renamed_in_rows_and_log(parts: Parts) -> str:
    one = parts.changes.filter(pl.col("rule") == "COUNTRY_NORMALISED")["processid"][0]
    parts.used.add(one)
    parts.log(one, "country", after="Norway")
    return parts.set(one, country="Norway", country_iso="NO", coord__lat=60.51, coord__lon=8.27)


@case("has no change by 'NAME_CASE'")
def a_flag_of_a_change_that_was_not_made(parts: Parts) -> str:
    return parts.flag(parts.pick(*LABELLED), add=("NAME_CASE",))


@case("which is no rule")
def a_flag_that_no_rule_has(parts: Parts) -> str:
    return parts.flag(parts.pick(), add=("LOOKS_ODD",))


@case("not sorted")
def flags_in_another_order(parts: Parts) -> str:
    one = parts.pick(pl.col("flags").list.len() > 1, logged=None)
    return parts.set(one, flags=list(parts.of(one, "flags"))[::-1])


# Barcodes


def another_base(barcode: str) -> str:
    place = len(barcode) // 2
    return barcode[:place] + {"A": "G", "G": "A", "C": "T"}.get(barcode[place], "C") + barcode[place + 1 :]


@case("is not that of its nucleotides")
def another_base_in_a_barcode(parts: Parts) -> str:
    one = parts.pick(*LONE, *PLAIN)
    return parts.set(one, dna_barcode=another_base(str(parts.of(one, "dna_barcode"))))


@case("is not that of its nucleotides")
def a_barcode_of_another_specimen(parts: Parts) -> str:
    one = parts.pick(*LONE, *PLAIN, pl.col("species").is_null())
    other = parts.pick(*LONE, *PLAIN, pl.col("species").is_null())
    barcodes = [parts.of(each, "dna_barcode") for each in (one, other)]
    parts.set(one, dna_barcode=barcodes[1])
    parts.set(other, dna_barcode=barcodes[0])
    return one


@case("no nucleotides as delivered")
def nucleotides_that_are_gone(parts: Parts) -> str:
    return parts.set(parts.pick(*LONE, *PLAIN), dna_barcode_verbatim=None)


@case("the flag REVERSE_COMPLEMENT")
def a_turned_barcode_that_is_not_flagged(parts: Parts) -> str:
    one = parts.pick(pl.col("flags").list.contains("REVERSE_COMPLEMENT"), logged=None)
    parts.changes = parts.changes.filter((pl.col("processid") != one) | (pl.col("rule") != "REVERSE_COMPLEMENT"))
    return parts.flag(one, remove=("REVERSE_COMPLEMENT",))


@case("lacks the flag BARCODE_SEVERAL_BINS")
def two_bins_of_one_barcode(parts: Parts) -> str:
    one = parts.pick(pl.len().over("dna_barcode") > 2, pl.col("dna_bin").n_unique().over("dna_barcode") == 1)
    parts.used |= set(parts.rows.filter(pl.col("dna_barcode") == parts.of(one, "dna_barcode"))["processid"])
    return parts.set(one, dna_bin="BOLD:ZZZ9999")


# Places


@case("the code")
def a_country_with_the_code_of_another(parts: Parts) -> str:
    return parts.set(parts.pick(*LOCATED, *PLAIN), country="Kenya")


@case("the code")
def a_code_of_another_country(parts: Parts) -> str:
    return parts.set(parts.pick(*LOCATED, *PLAIN), country_iso="KE")


@case("lacks the flag COUNTRY_COORDINATE_MISMATCH")
def a_point_outside_its_country(parts: Parts) -> str:
    return parts.set(parts.pick(*LOCATED, *PLAIN), country="Mongolia", country_iso="MN")


@case("lacks the flag COUNTRY_COORDINATE_MISMATCH")
def a_point_with_another_sign(parts: Parts) -> str:
    one = parts.pick(*LOCATED, *PLAIN, pl.col("coord-lon").abs() > 40)
    return parts.set(one, coord__lon=-float(str(parts.of(one, "coord-lon"))))


@case("one coordinate without the other")
def half_a_point(parts: Parts) -> str:
    return parts.set(parts.pick(*LOCATED, *PLAIN), coord__lat=None)


@case("which is no place")
def a_point_of_zeros(parts: Parts) -> str:
    one = parts.set(parts.pick(*LOCATED, *PLAIN), coord__lat=0.0, coord__lon=0.0)
    return parts.flag(one, add=("COORDINATE_ROUNDED", "COUNTRY_COORDINATE_MISMATCH"))


@case("has the flag COUNTRY_COORDINATE_MISMATCH")
def a_flag_of_a_point_that_is_inside(parts: Parts) -> str:
    return parts.flag(parts.pick(*LOCATED, *PLAIN), add=("COUNTRY_COORDINATE_MISMATCH",))


@case("which by its flags is missing")
def a_point_that_was_never_read(parts: Parts) -> str:
    return parts.flag(parts.pick(*LOCATED, *PLAIN), add=("COORDINATE_INVALID",))


@case("which other records of the country spell")
def a_province_in_another_spelling(parts: Parts) -> str:
    one = parts.pick(*PLAIN, pl.col("province_state").is_not_null(), pl.len().over("country", "province_state") > 2)
    return parts.set(one, province_state=str(parts.of(one, "province_state")).upper())


# Boxes, measurements and images


@case("organism pixels")
def more_organism_pixels_than_the_box_has(parts: Parts) -> str:
    return parts.set(parts.pick(pl.col("measurement_source") == "mask"), image_measurement_value=600_000)


@case("its source missing")
def a_measurement_without_source(parts: Parts) -> str:
    return parts.set(parts.pick(pl.col("measurement_source") == "mask"), measurement_source=None)


@case("without a confidence")
def a_box_without_confidence(parts: Parts) -> str:
    return parts.set(parts.pick(), confidence=None)


@case("is released with the image status")
def a_status_that_no_gate_lets_pass(parts: Parts) -> str:
    return parts.set(parts.pick(), image_status="multiple")


@case("and is not multiple but detected")
def a_flag_of_several_specimens(parts: Parts) -> str:
    return parts.flag(parts.pick(), add=("SEVERAL_SPECIMENS",))


@case("has the flag TOUCHES_BORDER")
def a_flag_of_a_box_at_no_border(parts: Parts) -> str:
    return parts.flag(parts.pick(~pl.col("flags").list.contains("TOUCHES_BORDER")), add=("TOUCHES_BORDER",))


@case("lacks the flag TOUCHES_BORDER")
def a_box_moved_to_the_border(parts: Parts) -> str:
    one = parts.pick(~pl.col("flags").list.contains("TOUCHES_BORDER"))
    box = parts.boxes.row(by_predicate=pl.col("processid") == one, named=True)
    return parts.box(one, x0=0, x1=box["x1"] - box["x0"])


@case("is not what original_256 shows at its box")
def a_box_moved_aside(parts: Parts) -> str:
    one = parts.pick(~pl.col("flags").list.contains("TOUCHES_BORDER"))
    box = parts.boxes.row(by_predicate=pl.col("processid") == one, named=True)
    room = box["width_original"] - box["x1"]
    shift = room // 2 if room > box["x0"] else -(box["x0"] // 2)
    return parts.box(one, x0=box["x0"] + shift, x1=box["x1"] + shift)


def alike(parts: Parts) -> tuple[str, str]:
    """Two unused specimens whose crops have the same size."""
    size = pl.concat_str(pl.col("x1") - pl.col("x0"), pl.lit(" "), pl.col("y1") - pl.col("y0"))
    twins = parts.rows.filter(pl.col("flags").list.join(" ").str.contains("DUPLICATE"))["processid"]
    free = parts.boxes.filter(~pl.col("processid").is_in([*parts.used, *twins])).with_columns(size=size)
    pairs = free.group_by("size", maintain_order=True).agg("processid").filter(pl.col("processid").list.len() > 1)
    if pairs.is_empty():
        one, other = free["processid"][0], free["processid"][1]
    else:
        one, other = pairs["processid"][0][:2]
    parts.used |= {one, other}
    return one, other


def exchanged(parts: Parts, packages: tuple[str, ...]) -> str:
    one, other = alike(parts)
    for package in packages:
        parts.images[one, package], parts.images[other, package] = (
            parts.image(other, package),
            parts.image(one, package),
        )
    return one


@case("box")
def crops_of_two_specimens_exchanged(parts: Parts) -> str:
    return exchanged(parts, ("cropped", "cropped_256"))


@case("cropped")
def small_crops_of_two_specimens_exchanged(parts: Parts) -> str:
    return exchanged(parts, ("cropped_256",))


@case("original_256 shows at its box")
def small_originals_of_two_specimens_exchanged(parts: Parts) -> str:
    return exchanged(parts, ("original_256",))


@case("box")
def a_crop_painted_over(parts: Parts) -> str:
    one = parts.pick()
    settings = ImageSettings()
    for package in ("cropped", "cropped_256"):
        pixels = decode(parts.image(one, package), settings.max_pixels).copy()
        pixels[pixels.shape[0] // 3 :] = (20, 90, 40)
        parts.images[one, package] = encode_jpeg(pixels, settings)
    return one


@case("box")
def a_crop_upside_down(parts: Parts) -> str:
    one = parts.pick()
    settings = ImageSettings()
    for package in ("cropped", "cropped_256"):
        pixels = decode(parts.image(one, package), settings.max_pixels)
        parts.images[one, package] = encode_jpeg(np.ascontiguousarray(cv2.flip(pixels, -1)), settings)
    return one


@case("has the bytes of the image of")
def images_of_another_specimen_copied(parts: Parts) -> str:
    one, other = parts.pick(), parts.pick()
    for package in MADE:
        parts.images[one, package] = parts.image(other, package)
    return one


@case("cannot be decoded")
def an_image_with_a_hole(parts: Parts) -> str:
    one = parts.pick()
    data = parts.image(one, "cropped_256")
    parts.images[one, "cropped_256"] = data[: len(data) // 2] + b"\xff\xd9"
    return one


# Partitions


@case("is in a seen partition too")
def a_seen_species_in_an_unseen_partition(parts: Parts) -> str:
    one = parts.pick(pl.col("split") == "train", *LONE, pl.len().over("species") > 3)
    return parts.set(one, split="test_unseen", chunk="")


@case("splits.protocol bioscan-5m puts")
def a_specimen_moved_from_train_to_test(parts: Parts) -> str:
    one = parts.pick(pl.col("split") == "train", *LONE, pl.len().over("species") > 3)
    return parts.set(one, split="test", chunk="")


@case("puts")
def a_specimen_moved_from_test_to_train(parts: Parts) -> str:
    one = parts.pick(pl.col("split") == "test", *LONE)
    return parts.set(one, split="train", chunk=hashlib.md5(one.encode()).hexdigest()[:1])


@pytest.fixture(scope="module")
def good(tmp_path_factory) -> Path:
    """A release of the demo corpus, as the pipeline makes it."""
    batches = write_demo(tmp_path_factory.mktemp("demo")).batches
    settings = Settings(release=ReleaseSettings(forms=("bbox", "splits", "jsonld"), hdf5_packages=()))
    ingested = ingest_all(batches, tmp_path_factory.mktemp("lake"), settings)
    return released(ingested, tmp_path_factory.mktemp("release"), settings)


@pytest.fixture(scope="module")
def found(good, tmp_path_factory) -> dict[str, tuple[str, list[Fault]]]:
    """Process ID and faults by case; a third of the cases in each release."""
    outcomes = {}
    for number in range(3):
        parts = Parts(good)
        changed = {name: function(parts) for name, function, _ in CASES[number::3]}
        faults = check(parts.remade(tmp_path_factory.mktemp(f"resealed{number}")), images="all")
        outcomes |= {name: (processid, faults) for name, processid in changed.items()}
    return outcomes


@pytest.mark.slow
@pytest.mark.parametrize(("name", "words"), [(name, words) for name, _, words in CASES])
def test_a_resealed_corruption_is_named(found, name, words):
    processid, faults = found[name]
    mine = [fault for fault in faults if fault.processid == processid]
    assert any(words in fault.fault for fault in mine), "\n".join(map(str, mine or faults))


@pytest.mark.slow
def test_only_changed_specimens_are_named_for_images(found):
    for _, faults in found.values():
        assert not [fault for fault in faults if "cannot be" in fault.fault and fault.processid is None]


@pytest.mark.slow
def test_a_release_made_again_without_a_change_has_no_fault(good, tmp_path):
    assert schema.METADATA_EXTENDED.names()
    assert check(remade(good, tmp_path), images="all") == []
