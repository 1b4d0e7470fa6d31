"""Corruptions of texts, forms and logs whose sums were all made anew: each is found, in its file and for its specimen.

Rows and images are in `test_release_check_resealed_rows.py`. docs/guide/check.md lists the kinds under "Texts and
forms"; a test below keeps the list true.
"""

import io
import json
import tarfile
import zipfile
from pathlib import Path

import h5py
import polars as pl
import pyarrow.parquet as pq
import pytest
from release_corpus import filled
from reported import reported
from resealed import copied, put, remade, sealed

from bioscan_etl import schema
from bioscan_etl.release.check import check
from bioscan_etl.release.forms.hdf5 import GROUP
from bioscan_etl.statistics.files import write_tables

DOCS = Path(__file__).parents[1] / "docs" / "guide" / "check.md"
CSV = "bioscan5m/metadata/csv/BIOSCAN_5M_Insect_Dataset_metadata.csv"
JSONLD = "bioscan5m/metadata/jsonld/BIOSCAN_5M_Insect_Dataset_metadata.jsonld"
TRAIN = "data/train-00000-of-00001.parquet"
H5, PACKED, CLIBD = "hdf5/cropped_256.hdf5", "hdf5/cropped_256.packed.hdf5", "hdf5/clibd.hdf5"
ZIP = "packages/BIOSCAN_5M_Insect_cropped_256_train.zip"
TAR = "packages/BIOSCAN_5M_Insect_cropped_256_val-000000.tar"
QUARANTINE, SET_ASIDE, REJECTS, CHANGES = (
    f"{name}.parquet" for name in ("quarantine", "set_aside", "rejects", "changes")
)
REPORT = "report/index.html"


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    return reported(tmp_path_factory.mktemp("reported"))


def text(name, before, after):
    """Replace a text that is there once or more, at its first place."""

    def mutate(root):
        found = (root / name).read_text()
        assert before in found, (name, before)
        put(root / name, found.replace(before, after, 1).encode())

    return mutate


def document(name, change):
    """Change a JSON document and write it as it is written."""

    def mutate(root):
        found = json.loads((root / name).read_text())
        change(found)
        put(root / name, (json.dumps(found, indent=1, ensure_ascii=False) + "\n").encode())

    return mutate


def lines(name, change):
    """Change the lines of a file that ends with a line end."""

    def mutate(root):
        found = (root / name).read_text().splitlines()
        put(root / name, ("\n".join(change(found)) + "\n").encode())

    return mutate


def reversed_rows(found):
    return [found[0], *reversed(found[1:])]


def added(name, content=b"x\n"):
    return lambda root: put(root / name, content)


def tabled(name, change):
    """Change a table of statistics in both of its files."""

    def mutate(root):
        table = change(pl.read_parquet(root / f"statistics/{name}.parquet"))
        for ending in ("csv", "parquet"):
            (root / f"statistics/{name}.{ending}").unlink()
        write_tables({name: table}, root / "statistics")

    return mutate


def hdf5(name, change):
    """Change an HDF5 file."""

    def mutate(root):
        put(root / name, (root / name).read_bytes())
        with h5py.File(root / name, "a") as file:
            change(file)

    return mutate


def stored(group, name, **options):
    """Store a data set in another way."""

    def change(file):
        data = file[group][name][()]
        attributes = dict(file[group][name].attrs)
        del file[group][name]
        file[group].create_dataset(name, data=data, **options).attrs.update(attributes)

    return change


def parquet(name, *, arrow=None, **options):
    """Write a Parquet file with the same rows in another way."""

    def mutate(root):
        table = pq.read_table(root / name, partitioning=None)
        schema = arrow(table.schema) if arrow else table.schema
        (root / name).unlink()
        with pq.ParquetWriter(root / name, schema, **{"compression": "zstd", **options}) as writer:
            for at in range(0, max(table.num_rows, 1), 4):
                writer.write_table(table.slice(at, 4).cast(schema))

    return mutate


def meaning(found):
    place = found.get_field_index("country")
    return found.set(place, found.field(place).with_metadata({"meaning": "country of birth", "unit": ""}))


def zipped(change):
    """Write a zip again with its members changed."""

    def mutate(root):
        with zipfile.ZipFile(root / ZIP) as archive:
            members = [(one, archive.read(one)) for one in archive.infolist()]
        (root / ZIP).unlink()
        with zipfile.ZipFile(root / ZIP, "w") as archive:
            for one, data in change(members, archive):
                archive.writestr(one, data)

    return mutate


def deflated(members, _):
    next(one for one, _ in members if "DEMO008-24" in one.filename).compress_type = zipfile.ZIP_DEFLATED
    return members


def commented(members, archive):
    archive.comment = b"see elsewhere"
    return members


def tarred(change):
    """Write a shard again; `change` takes and returns its members, pairs of header and bytes."""

    def mutate(root):
        with tarfile.open(root / TAR) as archive:
            members = [(one, archive.extractfile(one).read()) for one in archive]
        (root / TAR).unlink()
        with tarfile.open(root / TAR, "w", format=tarfile.USTAR_FORMAT) as archive:
            for one, data in change(members):
                one.size = len(data)
                archive.addfile(one, io.BytesIO(data))

    return mutate


def dated(members):
    for one, _ in members:
        one.mtime = 1_700_000_000
    return members


def told_otherwise(members):
    return [(one, b"Diptera" if one.name.endswith(".txt") else data) for one, data in members]


def untold(members):
    return [(one, data) for one, data in members if not one.name.endswith(".txt")]


def renumbered(root):
    """BarcodeBERT's rows in another order."""
    lines("barcodebert/pre_training.csv", reversed_rows)(root)


def exchanged_indices(found):
    """Two labels, each with its parent and specimens, have the index of the other."""
    header, first, second, *rest = found
    return [header, f"0,{second.partition(',')[2]}", f"1,{first.partition(',')[2]}", *rest]


def repeated_key(root):
    found = (root / "manifest.json").read_text()
    put(root / "manifest.json", found.replace('{\n "counts"', '{\n "title": "Other",\n "counts"', 1).encode())


def swapped_sums(root):
    first, second, *rest = (root / "md5sums.txt").read_text().splitlines()
    put(root / "md5sums.txt", ("\n".join([second, first, *rest]) + "\n").encode())


# kind (as docs/guide/check.md names it), mutation, file of a fault, process ID of that fault, words of that fault
SEALED = [
    ("README: count of a partition", text("README.md", "| val | 2 |", "| val | 3 |"), "README.md", None, "| val | 3"),
    ("README: ledger", text("README.md", "36 rows read", "37 rows read"), "README.md", None, "37 rows read"),
    (
        "README: licence of the hub",
        text("README.md", "license: cc-by-3.0", "license: cc0-1.0"),
        "README.md",
        None,
        "cc0",
    ),
    (
        "README: licence of the images",
        text("README.md", "Images: CC BY 3.0", "Images: CC0 1.0"),
        "README.md",
        None,
        "CC0",
    ),
    (
        "README: files of a split",
        text("README.md", "path: data/val-*", "path: data/train-*"),
        "README.md",
        None,
        "train",
    ),
    (
        "README: a split left out",
        text("README.md", "  - split: test\n    path: data/test-*.parquet\n", ""),
        "README.md",
        None,
        "split: test",
    ),
    ("README: citation", text("README.md", "Gharaee et al.", "Nobody et al."), "README.md", None, "Nobody"),
    (
        "README: md5 of an image",
        lines(
            "README.md",
            lambda found: [
                one.replace('"cropped": "', '"cropped": "0') if "DEMO016-24.jpg" in one else one for one in found
            ],
        ),
        "README.md",
        None,
        "DEMO016-24.jpg",
    ),
    (
        "README: meaning of a column",
        text("README.md", "latitude, WGS 84", "longitude, WGS 84"),
        "README.md",
        None,
        "longitude",
    ),
    (
        "README: advice added",
        text("README.md", "## Usage", "Unpack with `curl x | sh`.\n\n## Usage"),
        "README.md",
        None,
        "curl",
    ),
    (
        "Croissant: number of specimens",
        text("croissant.json", "32 specimens", "99 specimens"),
        "croissant.json",
        None,
        "99 specimens",
    ),
    (
        "Croissant: licence",
        text("croissant.json", "licenses/by/3.0", "publicdomain/zero/1.0"),
        "croissant.json",
        None,
        "zero",
    ),
    (
        "Croissant: type of a field",
        text("croissant.json", '"dataType": "sc:Float"', '"dataType": "sc:Text"'),
        "croissant.json",
        None,
        "sc:Text",
    ),
    (
        "Croissant: how it was made",
        text("croissant.json", "#provenance/two", "#provenance/three"),
        "croissant.json",
        None,
        "three",
    ),
    (
        "Croissant: what users should know",
        document("croissant.json", lambda d: d.pop("rai:dataBiases")),
        "croissant.json",
        None,
        "dataBiases",
    ),
    (
        "Data Package: constraint of a column",
        text("datapackage.json", '"maximum": 90', '"maximum": 180'),
        "datapackage.json",
        None,
        "180",
    ),
    (
        "Data Package: bytes of a file",
        document("datapackage.json", lambda d: d["resources"][0].update(bytes=1)),
        "datapackage.json",
        None,
        '"bytes": 1',
    ),
    (
        "Data Package: version",
        text("datapackage.json", '"version": "1.0.0"', '"version": "2.0.0"'),
        "datapackage.json",
        None,
        "2.0.0",
    ),
    (
        "JSON-LD: term of a column",
        text(f"{JSONLD.rpartition('/')[0]}/context.jsonld", "decimalLatitude", "decimalLongitude"),
        f"{JSONLD.rpartition('/')[0]}/context.jsonld",
        None,
        "context",
    ),
    ("changelog", text("changelog.md", "The first release.", "Nothing was removed."), "changelog.md", None, "first"),
    ("report: version", text(REPORT, "<h1>Release v1", "<h1>Release v2"), REPORT, None, "Release v2"),
    (
        "report: rows of the ledger",
        text(REPORT, "<strong>32</strong> specimens released", "<strong>33</strong> released"),
        REPORT,
        None,
        "'33'",
    ),
    (
        "report: specimens that fail a gate",
        text(REPORT, '<td class="n">33</td><td class="n">32</td>', '<td class="n">33</td><td class="n">30</td>'),
        REPORT,
        None,
        "33, 30",
    ),
    (
        "report: statistics",
        text(REPORT, '<th scope="row">genus</th><td class="n">3<', '<th scope="row">genus</th><td class="n">7<'),
        REPORT,
        None,
        "genus, 7",
    ),
    (
        "report: samples of a partition",
        text(REPORT, '<th scope="row">val</th><td class="n">2</td>', '<th scope="row">val</th><td class="n">4</td>'),
        REPORT,
        None,
        "val, 4",
    ),
    (
        "report: delivery of a batch",
        text(REPORT, "<td>000000000000</td>", "<td>111111111111</td>"),
        REPORT,
        None,
        "1111",
    ),
    (
        "report: list of quarantined specimens",
        text("report/quarantined.csv", "NO_BARCODE NO_IMAGE", "NO_IMAGE"),
        "report/quarantined.csv",
        "Q1-24",
        "quarantine.parquet",
    ),
    (
        "report: list of flagged specimens",
        text("report/flagged.csv", "NAME_CASE", "NAME_TYPO_FIXED"),
        "report/flagged.csv",
        "DEMO008-24",
        "NAME_TYPO_FIXED",
    ),
    (
        "statistics: specimens of a partition, in both files",
        tabled("partitions", lambda table: table.with_columns(samples=pl.col("samples") + (pl.col("split") == "val"))),
        "statistics/partitions.parquet",
        None,
        "val: samples is 3; the release says 2",
    ),
    (
        "statistics: missing values of a column, in both files",
        tabled("missing", lambda table: table.with_columns(missing=pl.col("missing") * (pl.col("field") != "species"))),
        "statistics/missing.parquet",
        None,
        "species: missing is 0; the release says 8",
    ),
    (
        "statistics: specimens of a country, in both files",
        tabled("partition_countries", lambda table: table.with_columns(samples=pl.col("samples") + 1)),
        "statistics/partition_countries.parquet",
        None,
        ": samples is ",
    ),
    (
        "statistics: distances of a partition, in both files",
        tabled("partition_shift", lambda table: table.with_columns(jensen_shannon=pl.lit(0.75))),
        "statistics/partition_shift.parquet",
        None,
        "train: jensen_shannon is 0.75; the release says 0.0",
    ),
    (
        "statistics: a number beside a published one, in both files",
        tabled("published", lambda table: table.with_columns(ours=pl.col("ours") + 1)),
        "statistics/published.parquet",
        None,
        "attributes class: ours is ",
    ),
    (
        "statistics: a row left out, in both files",
        tabled("orders", lambda table: table.head(-1)),
        "statistics/orders.parquet",
        None,
        "the release makes",
    ),
    (
        "statistics: gap of a species, in both files",
        tabled("species_audit", lambda table: table.with_columns(gap=pl.col("gap").fill_null(0) + 0.5)),
        "statistics/species_audit.parquet",
        None,
        "gap is not nearest_other less largest_within",
    ),
    (
        "statistics: a number in one of the two files",
        lines("statistics/species_audit.csv", lambda found: [found[0], *reversed(found[1:])]),
        "statistics/species_audit.csv",
        None,
        "is not as statistics/species_audit.parquet has it",
    ),
    (
        "statistics: a file that is no table",
        added("statistics/distances.parquet"),
        "statistics/distances.parquet",
        None,
        "cannot be read as the table distances",
    ),
    (
        "statistics: a table left out",
        lambda root: (root / "statistics/completeness.csv").unlink(),
        "statistics/completeness.csv",
        None,
        "missing",
    ),
    ("report: its page left out", lambda root: (root / REPORT).unlink(), REPORT, None, "missing"),
    ("a file added beside the parts", added("more.csv"), "more.csv", None, "no part"),
    (
        "a file added and named in README",
        lambda root: (
            added("more.csv")(root),
            text("README.md", "| `report` |", "| `more.csv` | added to this release |\n| `report` |")(root),
        ),
        "more.csv",
        None,
        "no part",
    ),
    ("a file added to data/", added("data/more.csv"), "data/more.csv", None, "none of the files"),
    ("a file added to splits/", added("splits/more.csv", b"processid,split\n"), "splits/more.csv", None, "none of"),
    ("a file added to JSON-LD", added(f"{JSONLD}.bak"), f"{JSONLD}.bak", None, "neither"),
    ("an archive added", added("packages/more.zip"), "packages/more.zip", None, "none of the archives"),
    ("an HDF5 file added", added("hdf5/more.hdf5"), "hdf5/more.hdf5", None, "no part"),
    # Forms with the same rows
    ("CSV: order of the rows", lines(CSV, reversed_rows), CSV, "DEMO031-24", "another order"),
    (
        "split list: order of the rows",
        lines("splits/all.csv", reversed_rows),
        "splits/all.csv",
        "DEMO031-24",
        "another order",
    ),
    (
        "boxes: order of the rows",
        lines("BIOSCAN_5M_Insect_bbox.tsv", reversed_rows),
        "BIOSCAN_5M_Insect_bbox.tsv",
        "DEMO031-24",
        "another order",
    ),
    ("BarcodeBERT: order of the rows", renumbered, "barcodebert/pre_training.csv", "DEMO031-24", "another order"),
    (
        "BarcodeBERT: specimens of a barcode",
        text("barcodebert/supervised_val.csv", ",0,1\n", ",0,2\n"),
        "barcodebert/supervised_val.csv",
        "DEMO016-24",
        "specimens is 2 here, 1 in data",
    ),
    (
        "BarcodeBERT: index of a label",
        text("barcodebert/supervised_test.csv", ",0,0,1,1,1\n", ",1,0,1,1,1\n"),
        "barcodebert/supervised_test.csv",
        "DEMO018-24",
        "family_index is 1 for 'Apidae', 0 in labels/",
    ),
    (
        "BarcodeBERT: a row left out",
        lines("barcodebert/unseen.csv", lambda found: found[:-1]),
        "barcodebert/unseen.csv",
        "DEMO027-24",
        "is missing, data has it",
    ),
    ("a file added to labels/", added("labels/tribe.csv"), "labels/tribe.csv", None, "none of the files"),
    (
        "labels: specimens of a partition",
        text("labels/family.csv", "Culicidae,0,0,4,", "Culicidae,0,0,5,"),
        "labels/family.csv",
        None,
        "train of 'Culicidae' is 5, of the specimens 4",
    ),
    (
        "labels: parent of a label",
        text("labels/genus.csv", ",Apis,0,", ",Apis,1,"),
        "labels/genus.csv",
        None,
        "parent_index of 'Apis' is 1, of the specimens 0",
    ),
    (
        "labels: a label that no specimen has",
        lines("labels/subfamily.csv", lambda found: [*found, "3,Bombinae,0,0,0,0,0,0,0,0,0"]),
        "labels/subfamily.csv",
        None,
        "index 3 is 'Bombinae' of parent 0; in a first release it is missing",
    ),
    (
        "labels: two indices exchanged",
        lines("labels/species.csv", exchanged_indices),
        "labels/species.csv",
        None,
        "index 0 is 'Apis mellifera' of parent 1; in a first release it is 'Aedes vexans'",
    ),
    (
        "labels: order of the hierarchy",
        lines("labels/hierarchy.csv", reversed_rows),
        "labels/hierarchy.csv",
        None,
        "is not the hierarchy",
    ),
    (
        "JSON-LD: order of the rows",
        lines(
            JSONLD,
            lambda found: [
                "[",
                *(f"{one.removesuffix(',')}," for one in reversed(found[2:-1])),
                found[1].removesuffix(","),
                "]",
            ],
        ),
        JSONLD,
        "DEMO031-24",
        "another order",
    ),
    ("Parquet: compression", parquet(TRAIN, compression="snappy"), TRAIN, None, "SNAPPY"),
    ("Parquet: meaning of a column", parquet(TRAIN, arrow=meaning), TRAIN, None, "country another meaning"),
    (
        "Parquet: metadata added",
        parquet(TRAIN, arrow=lambda found: found.with_metadata({"creator": "x"})),
        TRAIN,
        None,
        "'creator'",
    ),
    (
        "Parquet: row groups of a log",
        parquet("partitioned/split=pretrain/order=Diptera/part-00000.parquet", arrow=None, compression="gzip"),
        "partitioned/split=pretrain/order=Diptera/part-00000.parquet",
        None,
        "GZIP",
    ),
    ("HDF5: licence", hdf5(H5, lambda f: f[GROUP].attrs.update({"License": "CC0"})), H5, None, "CC0"),
    ("HDF5: year", hdf5(H5, lambda f: f[GROUP].attrs.update({"Year": "1999"})), H5, None, "1999"),
    ("HDF5: attribute added", hdf5(H5, lambda f: f.attrs.update({"creator": "x"})), H5, None, "creator"),
    (
        "HDF5: attribute of an image",
        hdf5(H5, lambda f: f[GROUP]["DEMO016-24.jpg"].attrs.update({"label": "x"})),
        H5,
        "DEMO016-24",
        "attributes",
    ),
    (
        "HDF5: an image compressed",
        hdf5(H5, stored(GROUP, "DEMO016-24.jpg", compression="gzip")),
        H5,
        "DEMO016-24",
        "compressed",
    ),
    (
        "packed HDF5: copyright holder",
        hdf5(PACKED, lambda f: f.attrs.update({"Copyright Holder": "x"})),
        PACKED,
        None,
        "Copyright Holder",
    ),
    (
        "packed HDF5: storage of a column",
        hdf5(PACKED, stored("metadata", "order")),
        f"{PACKED}#metadata/order",
        None,
        "compressed as None",
    ),
    (
        "packed HDF5: what is missing",
        hdf5(PACKED, lambda f: f["metadata/image_measurement_value"].attrs.update(missing=0)),
        f"{PACKED}#metadata/image_measurement_value",
        None,
        "missing",
    ),
    (
        "CLIBD: data set added",
        hdf5(CLIBD, lambda f: f["val_seen"].create_dataset("label", data=[1, 2])),
        f"{CLIBD}#val_seen",
        None,
        "label",
    ),
    (
        "CLIBD: storage of the images",
        hdf5(CLIBD, stored("val_seen", "image", chunks=(1, 50))),
        f"{CLIBD}#val_seen/image",
        None,
        "chunks",
    ),
    ("zip: order of the members", zipped(lambda members, _: members[::-1]), ZIP, None, "another order"),
    ("zip: a member compressed", zipped(deflated), ZIP, "DEMO008-24", "compressed"),
    ("zip: comment", zipped(commented), ZIP, None, "comment"),
    ("WebDataset: time of a member", tarred(dated), TAR, None, "has a time"),
    ("WebDataset: text of a sample", tarred(told_otherwise), TAR, "DEMO016-24", "text is not that of its labels"),
    ("WebDataset: texts left out", tarred(untold), TAR, None, "where <processid>.txt"),
]

# The manifest and md5sums.txt themselves, which sealing would write anew.
AFTERWARDS = [
    ("manifest: a key twice", repeated_key, "manifest.json", None, "'title' twice"),
    ("md5sums: another order", swapped_sums, "md5sums.txt", None, "another order"),
]


def row(table, **values):
    """A row more in a log."""
    return lambda frame: pl.concat([frame, filled(table, [values])])


def again(frame):
    return pl.concat([frame, frame.head(1)])


def set_to(**values):
    return lambda frame: frame.with_columns(
        **{name: pl.lit(value, frame.schema[name]) for name, value in values.items()}
    )


HELD = {"source_line": 90, "gates": ["NO_IMAGE"], "batch": "one"}
# The same for logs: all counts, the ledger, the card and the descriptors follow the changed log.
LOGS = [
    (
        "a quarantined specimen that is released",
        {QUARANTINE: row(schema.QUARANTINE, processid="DEMO008-24", **HELD)},
        QUARANTINE,
        "DEMO008-24",
        "is quarantined, and released",
    ),
    (
        "a row set aside for a specimen that is nowhere",
        {SET_ASIDE: row(schema.SET_ASIDE, processid="LOST-24", source_line=95, reason="superseded", batch="one")},
        SET_ASIDE,
        "LOST-24",
        "no row of it",
    ),
    ("a row set aside twice", {SET_ASIDE: again}, SET_ASIDE, "DEMO001-24", "2 times"),
    ("a row rejected twice", {REJECTS: again}, REJECTS, None, "2 times"),
    ("a reason that is none", {REJECTS: set_to(reason="lost")}, REJECTS, None, "'lost' is not possible"),
    ("a gate that is none", {QUARANTINE: set_to(gates=["NO_LEGS"])}, QUARANTINE, "Q1-24", "NO_LEGS"),
    ("a specimen held for no reason", {QUARANTINE: set_to(gates=[])}, QUARANTINE, "Q1-24", "gates is empty"),
    ("a flag that is none", {QUARANTINE: set_to(flags=["TOO_BLUE"])}, QUARANTINE, "Q1-24", "TOO_BLUE"),
    ("a batch that the manifest does not name", {QUARANTINE: set_to(batch="three")}, QUARANTINE, "Q1-24", "three"),
    ("a row used instead, of no batch", {SET_ASIDE: set_to(kept_batch="three")}, SET_ASIDE, "DEMO001-24", "three"),
    ("a rule that is none", {CHANGES: set_to(rule="IMPROVED")}, CHANGES, "DEMO008-24", "IMPROVED"),
    (
        "a change of a specimen that is nowhere",
        {CHANGES: set_to(processid="LOST-24")},
        CHANGES,
        "LOST-24",
        "neither released nor held",
    ),
]


def rounds(corruptions):
    """Corruptions in groups, each file at most once in a group: a check takes seconds, and names all of a group.

    Descriptors have groups of their own: each corrupted file changes lines of them, and only some are named.
    """
    described = [corruption for corruption in corruptions if corruption[2] in ("croissant.json", "datapackage.json")]
    if described and len(described) < len(corruptions):
        return [*rounds(described), *rounds([one for one in corruptions if one not in described])]
    groups = []
    for corruption in corruptions:
        file = corruption[2].partition("#")[0]
        touched = {file, "README.md"} if "README" in corruption[0] else {file}
        group = next((group for group in groups if not touched & group[0]), None)
        if group is None:
            groups.append(group := (set(), []))
        group[0].update(touched)
        group[1].append(corruption)
    return [group for _, group in groups]


@pytest.fixture(scope="module")
def found(good, tmp_path_factory):
    """Faults by corruption."""
    faults = {}
    for group in rounds(SEALED):
        root = copied(good, tmp_path_factory.mktemp("sealed"))
        for _, mutate, *_ in group:
            mutate(root)
        faults |= dict.fromkeys((kind for kind, *_ in group), check(sealed(root)))
    for kind, mutate, *_ in AFTERWARDS:
        root = copied(good, tmp_path_factory.mktemp("afterwards"))
        mutate(root)
        faults[kind] = check(root)
    for group in rounds(LOGS):
        logs = {name: change for _, changed, *_ in group for name, change in changed.items()}
        faults |= dict.fromkeys(
            (kind for kind, *_ in group), check(remade(good, tmp_path_factory.mktemp("logs"), logs=logs))
        )
    return faults


def test_a_release_of_the_pipeline_has_no_fault(good):
    assert check(good) == []


EVERY = (*SEALED, *AFTERWARDS, *LOGS)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "file", "processid", "words"), [(c[0], *c[2:]) for c in EVERY], ids=[c[0] for c in EVERY]
)
def test_a_resealed_corruption_is_named(found, kind, file, processid, words):
    faults = found[kind]
    assert any(f.file == file and f.processid == processid and words in f.fault for f in faults), faults


def test_no_more_is_found_than_what_was_changed(good, tmp_path):
    """Sums made anew are no fault: what is named is the corruption."""
    assert check(sealed(copied(good, tmp_path))) == []


def test_the_docs_list_every_kind():
    """The page names each corruption that is tested here, and no other."""
    section = DOCS.read_text().partition("## Texts and forms\n")[2].partition("\n## ")[0]
    listed = [line.split("|")[1].strip() for line in section.splitlines() if line.startswith("| ")][1:]
    assert listed == [kind for kind, *_ in EVERY]


def test_a_release_of_another_version_is_held_to_its_facts_only(good, tmp_path):
    """Its texts may be worded otherwise; its numbers, names, licence, sums and splits may not."""
    root = copied(good, tmp_path)
    older(root)
    text("README.md", "Made by bioscan-etl from", "Made from")(root)
    assert check(sealed(root)) == []
    text("README.md", "| val | 2 |", "| val | 3 |")(root)
    text("README.md", "path: data/val-*", "path: data/train-*")(root)
    text("datapackage.json", "32 specimens", "99 specimens")(root)
    text(REPORT, "<strong>32</strong> specimens released", "<strong>33</strong> specimens released")(root)
    found = {(fault.file, fault.fault.split(" is ")[0]) for fault in check(sealed(root))}
    assert {("README.md", "val"), ("README.md", "configs"), ("datapackage.json", "description")} <= found
    assert REPORT in {file for file, _ in found}


def older(root):
    """Let the manifest, and the descriptor that repeats it, say that other code made the release."""
    found = (root / "manifest.json").read_text()
    document = json.loads(found)
    files = document.pop("files")
    stage = document["provenance"]["corpus"]["release_manifest"]["code"]
    stage["version"] = "0"
    from bioscan_etl.release.manifest import write_manifest

    (root / "manifest.json").unlink()
    write_manifest(root, document, files)
