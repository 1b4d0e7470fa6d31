"""What differs between two releases, with reasons: planted changes come back, each once, and nothing else."""

import shutil

import polars as pl
import pytest
from examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from release_corpus import Corpus, corpus, filled

from bioscan_etl import schema
from bioscan_etl.errors import SourceError
from bioscan_etl.release.diff import compare as diff
from bioscan_etl.release.parts import Logs
from bioscan_etl.release.scan import Head, release_tables, scan_release
from bioscan_etl.settings import ReleaseSettings, Settings, SplitSettings

STABLE = Settings(splits=SplitSettings(protocol="stable"))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return corpus(tmp_path_factory.mktemp("corpus"))


def change(frame, processid, **values):
    """The frame with other values in one row."""
    one = pl.col("processid") == processid
    return frame.with_columns(
        pl.when(one).then(pl.lit(value, dtype=frame.schema[name])).otherwise(pl.col(name)).alias(name)
        for name, value in values.items()
    )


def log(*rows):
    keys = ("processid", "field", "step", "before", "after", "rule")
    return filled(schema.CHANGES, [dict(zip(keys, row, strict=True)) for row in rows])


def moves(path, *rows):
    pl.DataFrame(rows, schema=schema.PARTITION_MOVES.schema(), orient="row").write_parquet(path)
    return path


@pytest.fixture(scope="module")
def releases(made, tmp_path_factory):
    """A folder with v1 and v2, and what was planted between them."""
    folder = tmp_path_factory.mktemp("releases")
    logs = Logs(
        made.logs.quarantine,
        made.logs.set_aside,
        made.logs.rejects,
        log(
            ("DEMO009-24", "species", 0, "Apis melifera", "Apis mellifera", "NAME_TYPO_FIXED"),
            ("DEMO011-24", "genus", 0, "Apus", "Apis", "CURATOR_OVERRIDE"),
        ),
        schema.DECISION_LOG.empty(),
        "1",
    )
    drop = ["DEMO005-24", "DEMO006-24", "DEMO007-24"]
    first = made.curated.filter(~pl.col("processid").is_in(["DEMO003-24", "DEMO004-24"]))
    v1 = Corpus(
        first, made.partitions.filter(~pl.col("processid").is_in(["DEMO003-24", "DEMO004-24"])), logs, made.crops, 34
    )
    v1 = Corpus(
        v1.curated,
        v1.partitions,
        Logs(
            filled(
                schema.QUARANTINE,
                [
                    {"processid": "DEMO004-24", "source_line": 4, "gates": ["NO_IMAGE", "NO_BARCODE"]},
                    {"processid": "Q1-24", "source_line": 90, "gates": ["NO_IMAGE"]},
                ],
            ),
            logs.set_aside,
            filled(schema.REJECTS, [{"source_line": 93, "reason": "field_count"}]),
            logs.changes,
            schema.DECISION_LOG.empty(),
            "1",
        ),
        made.crops,
        34,
    )
    v1.build(folder, digest="1" * 64, settings=STABLE)

    later = made.curated.filter(~pl.col("processid").is_in(drop))
    later = change(later, "DEMO008-24", species="Aedes vexanz", taxon="Aedes vexanz")  # delivered otherwise
    later = change(later, "DEMO009-24", species="Apis melifera", taxon="Apis melifera")  # the fix is undone
    later = change(later, "DEMO010-24", species=None, taxon="Aedes")  # cleared by a rule, same delivery
    later = change(later, "DEMO011-24", genus="Apiz")  # another delivery and another rule
    later = change(later, "DEMO012-24", **{"coord-lat": None, "dna_bin": "BOLD:AAA9999", "flags": ["A", "B"]})
    later = change(later, "DEMO013-24", country=None, province_state="Québec")
    partitions = made.partitions.filter(~pl.col("processid").is_in(drop))
    partitions = change(partitions, "DEMO000-24", split="train")
    partitions = change(partitions, "DEMO001-24", split="other_heldout")
    logs = Logs(
        filled(schema.QUARANTINE, [{"processid": "DEMO005-24", "source_line": 5, "gates": ["NO_IMAGE"]}]),
        made.logs.set_aside,
        filled(
            schema.REJECTS,
            [{"source_line": 6, "reason": "field_count", "raw_text": "DEMO006-24\tDEMO006-24.COI-5P\tx"}],
        ),
        log(
            ("DEMO010-24", "species", 0, "Aedes vexans", None, "BARCODE_MAJORITY"),
            ("DEMO011-24", "genus", 0, "apiz", "Apiz", "NAME_CASE"),
            ("DEMO013-24", "country", 0, "Canada", None, "COUNTRY_INVALID"),
        ),
        schema.DECISION_LOG.empty(),
        "1",
    )
    listed = moves(folder / "moves.parquet", ("DEMO000-24", "pretrain", "train", "MOVED_SPECIES_NAMED"))
    Corpus(later, partitions, logs, made.crops, 32).build(
        folder, digest="2" * 64, settings=STABLE, extra={"partition_moves.parquet": listed}
    )
    return folder


EXPECTED = {
    ("DEMO000-24", "moved", "split"): ("pretrain", "train", "MOVED_SPECIES_NAMED"),
    ("DEMO001-24", "moved", "split"): ("pretrain", "other_heldout", "UNLISTED"),
    ("DEMO003-24", "added", "split"): (None, "pretrain", "new"),
    ("DEMO004-24", "added", "split"): (None, "pretrain", "quarantined:NO_IMAGE+NO_BARCODE"),
    ("DEMO005-24", "removed", "split"): ("pretrain", None, "quarantined:NO_IMAGE"),
    ("DEMO006-24", "removed", "split"): ("pretrain", None, "rejected:field_count"),
    ("DEMO007-24", "removed", "split"): ("pretrain", None, "gone"),
    ("DEMO008-24", "relabelled", "species"): ("Aedes vexans", "Aedes vexanz", "delivered"),
    ("DEMO009-24", "relabelled", "species"): ("Apis mellifera", "Apis melifera", "undone:NAME_TYPO_FIXED"),
    ("DEMO010-24", "relabelled", "species"): ("Aedes vexans", None, "BARCODE_MAJORITY"),
    ("DEMO011-24", "relabelled", "genus"): ("Apis", "Apiz", "delivered+NAME_CASE"),
    ("DEMO012-24", "changed", "coord-lat"): ("45.0", None, "delivered"),
    ("DEMO012-24", "changed", "dna_bin"): ("BOLD:AAA0012", "BOLD:AAA9999", "delivered"),
    ("DEMO012-24", "changed", "flags"): (None, "A+B", "derived"),
    ("DEMO013-24", "changed", "country"): ("Canada", None, "COUNTRY_INVALID"),
    ("DEMO013-24", "changed", "province_state"): ("Ontario", "Québec", "delivered"),
}


def rows(frame):
    return {(row[0], row[1], row[2]): tuple(row[3:]) for row in frame.iter_rows()}


def test_planted_differences_come_back_with_their_reasons(releases, tmp_path):
    before, after = scan_release(releases / "v1"), scan_release(releases / "v2")
    found = diff.write_diff(before, after, tmp_path / "diff.parquet")
    table = pl.read_parquet(tmp_path / "diff.parquet")
    schema.RELEASE_DIFF.check(table)
    images = table.filter(pl.col("kind").str.starts_with("image"))
    assert rows(table.filter(~pl.col("kind").str.starts_with("image"))) == EXPECTED
    # The images of moved records lie elsewhere but are the same ones.
    assert images.group_by("processid", "kind", "reason").len().sort("processid").rows() == [
        ("DEMO003-24", "image_added", "with_record", 3),
        ("DEMO004-24", "image_added", "with_record", 3),
        ("DEMO005-24", "image_removed", "with_record", 3),
        ("DEMO006-24", "image_removed", "with_record", 3),
        ("DEMO007-24", "image_removed", "with_record", 3),
    ]
    assert (found.before, found.after, found.records_before, found.records_after) == ("v1", "v2", 30, 29)
    assert found.records == {
        "added": 2,
        "removed": 3,
        "moved": 2,
        "relabelled": 4,
        "changed": 2,
        "image_added": 2,
        "image_removed": 3,
    }
    assert found.reasons["rows"].sum() == table.height
    assert ("moved", "split", "pretrain", "train", "MOVED_SPECIES_NAMED", 1) in found.values.rows()


def test_ranges_of_process_ids_change_nothing(releases, tmp_path):
    before, after = scan_release(releases / "v1"), scan_release(releases / "v2")
    for name, records in (("one", 1000), ("three", 3), ("each", 1), ("again", 1000)):
        counts = diff.write_diff(before, after, tmp_path / f"{name}.csv", records_per_range=records)
        assert counts.reasons.equals(diff.compare(before, after).reasons)
        assert counts.values.equals(diff.compare(before, after).values)
    texts = {name: (tmp_path / f"{name}.csv").read_bytes() for name in ("one", "three", "each", "again")}
    assert len(set(texts.values())) == 1
    ids = pl.read_csv(tmp_path / "one.csv")["processid"]
    assert ids.equals(ids.sort())


def test_the_way_back_is_the_mirror_image(releases):
    before, after = scan_release(releases / "v1"), scan_release(releases / "v2")
    parts = []
    diff.compare(after, before, parts.append)
    back = rows(pl.concat(parts).filter(~pl.col("kind").str.starts_with("image")))
    swap = {"added": "removed", "removed": "added"}
    assert {(i, swap.get(kind, kind), field): (new, old) for (i, kind, field), (old, new, _) in back.items()} == {
        key: value[:2] for key, value in EXPECTED.items()
    }
    assert back["DEMO010-24", "relabelled", "species"][2] == "undone:BARCODE_MAJORITY"
    assert back["DEMO004-24", "removed", "split"][2] == "quarantined:NO_IMAGE+NO_BARCODE"


def test_a_release_does_not_differ_from_itself(releases):
    one = scan_release(releases / "v1")
    found = diff.compare(one, one, lambda part: pytest.fail(f"{part}"))
    assert found.is_empty
    assert found.reasons.is_empty()


def test_moves_are_followed_over_the_releases_between(made, tmp_path):
    """pretrain to other_heldout to train, by two lists; a repeated list counts once."""
    steps = [
        ("pretrain", []),
        ("other_heldout", [("DEMO000-24", "pretrain", "other_heldout", "MOVED_SPECIES_NAMED")]),
        ("other_heldout", [("DEMO000-24", "pretrain", "other_heldout", "MOVED_SPECIES_NAMED")]),
        ("train", [("DEMO000-24", "other_heldout", "train", "MOVED_SPECIES_DESCRIBED")]),
    ]
    plain = Settings(
        splits=SplitSettings(protocol="stable"), release=ReleaseSettings(image_packages=(), hdf5_packages=())
    )
    for number, (split, listed) in enumerate(steps):
        path = moves(tmp_path / "moves.parquet", *listed)
        partitions = change(made.partitions, "DEMO000-24", split=split)
        Corpus(made.curated, partitions, made.logs, made.crops, made.rows_read).build(
            tmp_path / "r", plain, digest=str(number) * 64, extra={"partition_moves.parquet": path}
        )
    found = []
    first, last = (scan_release(tmp_path / "r" / version) for version in ("v1", "v4"))
    diff.compare(first, last, found.append, between=diff.moves_between(first, last))
    assert rows(pl.concat(found)) == {
        ("DEMO000-24", "moved", "split"): ("pretrain", "train", "MOVED_SPECIES_NAMED+MOVED_SPECIES_DESCRIBED")
    }
    found.clear()
    diff.compare(first, last, found.append)
    assert found[0]["reason"].to_list() == ["UNLISTED"]


def test_the_published_protocol_recomputes(made, tmp_path):
    partitions = change(made.partitions, "DEMO000-24", split="train")
    for number, assigned in enumerate((made.partitions, partitions)):
        Corpus(made.curated, assigned, made.logs, made.crops, made.rows_read).build(tmp_path, digest=str(number) * 64)
    found = []
    diff.compare(scan_release(tmp_path / "v1"), scan_release(tmp_path / "v2"), found.append)
    assert rows(pl.concat(found)) == {("DEMO000-24", "moved", "split"): ("pretrain", "train", "RECOMPUTED")}


def test_images_by_their_sums(made, tmp_path):
    """Another package, another image, other bytes."""
    small = Settings(release=ReleaseSettings(image_packages=("cropped_256",), hdf5_packages=()))
    made.build(tmp_path / "a", small)
    both = Settings(release=ReleaseSettings(image_packages=("cropped_256", "cropped"), hdf5_packages=()))
    made.build(tmp_path / "b", both)
    before, after = scan_release(tmp_path / "a/v1"), scan_release(tmp_path / "b/v1")
    found = diff.compare(before, after)
    assert found.reasons.rows() == [("image_added", "cropped", "package", 32)]
    # Manifests stand for the bytes.
    manifest = tmp_path / "b/v1/manifest.json"
    lines = manifest.read_text().splitlines(keepends=True)
    place = next(n for n, line in enumerate(lines) if "cropped_256" in line and "DEMO002-24.jpg" in line)
    lines[place] = lines[place].replace(lines[place].split('"sha256": "')[1][:64], "0" * 64)
    gone = next(n for n, line in enumerate(lines) if "cropped_256" in line and "DEMO004-24.jpg" in line)
    manifest.write_text("".join(line for n, line in enumerate(lines) if n != gone))
    parts = []
    diff.compare(before, scan_release(tmp_path / "b/v1"), parts.append)
    table = pl.concat(parts).filter(pl.col("field") == "cropped_256")
    assert table.select("processid", "kind", "reason").rows() == [
        ("DEMO002-24", "image_changed", "bytes"),
        ("DEMO004-24", "image_removed", "image"),
    ]
    assert table["after"].to_list() == ["0" * 64, None]


def test_a_release_without_parquet_is_compared_by_its_csv(releases, tmp_path):
    shutil.copytree(releases / "v2", tmp_path / "v2")
    shutil.rmtree(tmp_path / "v2/data")
    parts = []
    before, after = scan_release(releases / "v1"), scan_release(tmp_path / "v2")
    found = diff.compare(before, after, parts.append)
    assert "dna_barcode_verbatim" in found.uncompared
    assert "flags" in found.uncompared
    expected = {key: value for key, value in EXPECTED.items() if key[2] != "flags"}
    assert rows(pl.concat(parts).filter(~pl.col("kind").str.starts_with("image"))) == expected


def test_what_is_no_release_is_one_line(releases, tmp_path):
    with pytest.raises(SourceError, match="is not a release"):
        scan_release(tmp_path)
    (tmp_path / "manifest.json").write_text("{")
    with pytest.raises(SourceError, match="cannot be read"):
        scan_release(tmp_path)
    shutil.copytree(releases / "v2", tmp_path / "v2")
    next((tmp_path / "v2/data").glob("train-*")).write_bytes(b"PAR1 nothing")
    with pytest.raises(SourceError, match=r"cannot be compared.*check finds the damage") as caught:
        diff.compare(scan_release(releases / "v1"), scan_release(tmp_path / "v2"))
    assert "\n" not in str(caught.value)
    with pytest.raises(SourceError, match=r"neither \.csv nor \.parquet"):
        diff.write_diff(scan_release(releases / "v1"), scan_release(releases / "v2"), tmp_path / "x.txt")


TEXTS = st.one_of(st.none(), st.sampled_from(["", "a", "b", "a+b", "None"]))


@settings(max_examples=examples(40))
@given(
    st.dictionaries(st.integers(0, 7), st.tuples(TEXTS, TEXTS)),
    st.dictionaries(st.integers(0, 7), st.tuples(TEXTS, TEXTS)),
    st.integers(1, 4),
)
def test_any_two_tables_differ_by_what_is_reported(tmp_path_factory, old, new, records):
    """Applying the differences to the first release gives the second."""
    folder = tmp_path_factory.mktemp("any")
    sides = []
    for name, content in (("v1", old), ("v2", new)):
        root = folder / name
        (root / "data").mkdir(parents=True)
        frame = pl.DataFrame(
            [(f"P{n}", "train" if n % 2 else "val", *values) for n, values in content.items()],
            schema={"processid": pl.String, "split": pl.String, "species": pl.String, "site": pl.String},
            orient="row",
        )
        frame.write_parquet(root / "data/train-00000-of-00001.parquet")
        head = Head(version=name, dataset="x", title="X", image_packages=(), settings={})
        files = pl.LazyFrame(schema={"path": pl.String, "sha256": pl.String})
        sides.append(release_tables(root, head, files))
    parts = [schema.RELEASE_DIFF.empty()]
    diff.compare(*sides, parts.append, records_per_range=records)
    applied = {f"P{n}": dict(zip(("species", "site"), values, strict=True)) for n, values in old.items()}
    wanted = {f"P{n}": dict(zip(("species", "site"), values, strict=True)) for n, values in new.items()}
    for processid, kind, field, before, after, _ in pl.concat(parts).iter_rows():
        if kind == "removed":
            del applied[processid]
        elif kind == "added":
            applied[processid] = wanted[processid]
        else:
            assert applied[processid][field] == before
            assert before != after
            applied[processid][field] = after
    assert applied == wanted
