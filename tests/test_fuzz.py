"""A small fuzz run over all readers, with a fixed seed, and the judge that it relies on.

`benchmarks/fuzz.py` runs 10,000 files. A file that does not pass is kept there with `--keep`; make it a test of its
reader's own module.
"""

import os
import random
import sys
import tempfile
import time
from pathlib import Path

import pytest
from fuzz_mutators import BYTES, GZIP, JSON, JSON_LINES, PARQUET, TAR, TEXT, ZIP, mutated
from fuzz_readers import Read, Reader, Seed, readers
from fuzz_run import run, table

from bioscan_etl.errors import SourceError

FILES = 120


@pytest.fixture(scope="module")
def known(tmp_path_factory):
    return readers(tmp_path_factory.mktemp("seeds"))


@pytest.fixture(scope="module")
def tallies(known, tmp_path_factory):
    home = tmp_path_factory.mktemp("fuzz")
    return run(known, FILES, home=home / "sandbox", keep=home / "kept")


def test_no_row_is_lost_no_traceback_no_raw_character_no_file_outside(tallies):
    assert all(one.is_good for one in tallies), "\n".join(
        [table(tallies), *(f"{one.reader}: {fault}" for one in tallies for fault in one.faults)]
    )


def test_the_run_is_of_every_reader_and_of_files_that_are_read_as_well_as_refused(tallies, known):
    assert [one.reader for one in tallies] == [one.name for one in known]
    assert sum(one.files for one in tallies) >= FILES
    by_name = {one.reader: one for one in tallies}
    assert by_name["records"].rows > 100
    for name in ("records", "settings", "decisions", "archives"):
        assert 0 < by_name[name].refused < by_name[name].files, name


def test_the_examples_themselves_are_read(known, tmp_path):
    """A fuzz run over files that are refused anyway would show nothing."""
    for reader in known:
        if reader.name in (
            "models",
            "releases",
            "deliveries",
        ):  # the latter two damage the file or its folder themselves
            continue
        sound = Reader(reader.name, 1, tuple(Seed(one.name, one.data, ()) for one in reader.seeds), reader.read)
        (tally,) = run([sound], len(sound.seeds), home=tmp_path / reader.name)
        not_read = {"model.pt", "pin.json"}  # the first is no model, the second is not of its own digest
        assert tally.is_good, tally.faults
        assert tally.refused <= sum(one.name in not_read for one in sound.seeds), reader.name


def judged(read, home, **asked):
    reader = Reader(
        "fake", 1, (Seed("a.txt", b"a", ()),), lambda path, output, _: read(path, output) or Read(), **asked
    )
    (tally,) = run([reader], 1, home=home / "sandbox", keep=home / "kept")
    return tally


def test_a_sound_reader_passes(tmp_path):
    def read(path, output):
        (output / "made.txt").write_text("x")
        return Read(rows=3, accounted=3, messages=("fine",))

    tally = judged(read, tmp_path)
    assert tally.is_good
    assert (tally.files, tally.rows, tally.refused) == (1, 3, 0)
    assert not (tmp_path / "kept").exists()


def test_a_refusal_is_no_fault_and_its_characters_are_visible(tmp_path):
    def read(path, output):
        raise SourceError("a\x1b[2J\u202e")

    tally = judged(read, tmp_path)
    assert tally.is_good
    assert tally.refused == 1


def test_a_lost_row_is_counted(tmp_path):
    tally = judged(lambda path, output: Read(rows=5, accounted=3), tmp_path)
    assert (tally.lost, tally.is_good) == (2, False)
    assert (tmp_path / "kept" / "fake" / "0" / "a.txt").read_bytes() == b"a"


@pytest.mark.parametrize("error", [KeyError("x"), RecursionError(), MemoryError(), SystemExit(), GeneratorExit()])
def test_an_error_that_is_not_for_the_user_is_a_traceback(tmp_path, error):
    def read(path, output):
        raise error

    assert judged(read, tmp_path).tracebacks == 1


def test_a_state_of_the_data_is_none(tmp_path):
    def read(path, output):
        raise KeyError("unreadable")

    assert judged(read, tmp_path, raises=(KeyError,)).is_good


def test_what_a_library_says_past_python_is_heard(tmp_path):
    tally = judged(lambda path, output: os.write(2, b"\x1b[31mthread panicked at lib.rs"), tmp_path)
    assert (tally.raw, tally.tracebacks) == (1, 1)


@pytest.mark.parametrize("place", ["../x", "../../../x", "../inputs/x"])
def test_a_file_beside_the_output_is_found_and_removed(tmp_path, place):
    tally = judged(lambda path, output: (output / place).write_text("x") and None, tmp_path)
    assert tally.outside == 1
    assert not [path for path in (tmp_path / "sandbox").rglob("x") if path.is_file()]


def test_a_temporary_file_left_behind_and_a_changed_input_are_found(tmp_path):
    def leave(path, output):
        os.close(tempfile.mkstemp()[0])

    assert judged(leave, tmp_path / "1").outside == 1
    assert judged(lambda path, output: Path("here.txt").write_text("x") and None, tmp_path / "2").outside == 1
    assert judged(lambda path, output: path.write_text("other") and None, tmp_path / "3").outside == 1


def test_a_reader_that_does_not_end_is_ended(tmp_path, monkeypatch):
    monkeypatch.setattr(sys.modules["fuzz_run"], "LIMIT_S", 0.2)
    tally = judged(lambda path, output: time.sleep(20), tmp_path)
    assert tally.tracebacks == 1
    assert tally.slowest < 10


@pytest.mark.parametrize(
    ("mutators", "of"),
    [
        (TEXT, ".tsv"),
        (GZIP, ".gz"),
        (ZIP, ".zip"),
        (TAR, ".tar.gz"),
        (JSON_LINES, ".jsonl"),
        (PARQUET, ".parquet"),
    ],
)
def test_the_same_seed_makes_the_same_damage_and_another_seed_another(known, mutators, of):
    seed = next(one for reader in known for one in reader.seeds if one.name.endswith(of) and one.mutators == mutators)
    first, again, other = (
        [mutated(seed.data, mutators, random.Random(f"{start} {number}")) for number in range(8)] for start in (0, 0, 1)
    )
    assert first == again
    assert first != other


def test_every_kind_of_damage_changes_something():
    for mutators, data in ((BYTES, b"abc" * 50), (TEXT, b"a,b\n1,2\n" * 9), (JSON, b'{"a": [1, {"b": "c"}]}')):
        for mutator in mutators:
            assert any(mutator(data, random.Random(number)) != data for number in range(20)), mutator
