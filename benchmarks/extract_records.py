"""Extraction of records beside polars' own bare scan-and-sink of the same file.

    .venv/bin/python benchmarks/extract_records.py [--rows 200000] [--seed 1] [--repeats 3] [--folder /tmp]

Data: generated here, not real. A table in the BCDM 2025 layout (76 columns) whose rows are like those of the package
of 2025 in length, nulls and repetition: about 2,000 distinct lineages, places and collectors, a random sequence
of 658 bases per record, one row in ten of another marker, one in a hundred a second row of its process ID, process
IDs in random order, one row in 10,000 broken. 5,150,000 rows are 7 GB of text; the folder needs three times that
for the text, the scratch files and both results, all of which are deleted.

Both sides run in processes of their own, by turns. The baseline reads every column as text and writes zstd Parquet;
the extraction also checks every row, folds nulls, chooses one row per specimen and keeps the ledger. Prints the
median times and processor times after imports, their ratios, and the peak memory of each process.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import polars as pl

_LAYOUT = """
processid sampleid fieldid museumid record_id specimenid processid_minted_date bin_uri
bin_created_date collection_code inst sovereign_inst taxid kingdom phylum class order family
subfamily tribe genus species subspecies species_reference identification identification_method
identification_rank identified_by identifier_email taxonomy_notes sex reproduction life_stage
short_note notes voucher_type tissue_type specimen_linkout associated_specimens associated_taxa
collectors collection_date_start collection_date_end collection_event_id collection_time
collection_notes geoid country/ocean country_iso province/state region sector site site_code coord
coord_accuracy coord_source elev elev_accuracy depth depth_accuracy habitat realm biome ecoregion
sampling_protocol nuc nuc_basecount insdc_acs funding_src marker_code primers_forward
primers_reverse sequence_run_site sequence_upload_date bold_recordset_code_arr
"""
LAYOUT = _LAYOUT.split()
_LINEAGE = """
bin_uri taxid phylum class order family subfamily tribe genus species species_reference
identification
"""
LINEAGE = _LINEAGE.split()
_PLACE = """
geoid country/ocean province/state region sector site coord elev realm biome ecoregion collectors
"""
PLACE = _PLACE.split()
_EVENT = """
collection_date_start collection_date_end sequence_upload_date identified_by inst
bold_recordset_code_arr
"""
EVENT = _EVENT.split()
ROWS = 50_000


def _words(rng: np.random.Generator, size: int) -> list[str]:
    letters = np.array(list("aeioubcdlmnrst"))
    return ["".join(rng.choice(letters, rng.integers(6, 22))).capitalize() for _ in range(size)]


def generate(path: Path, least: int, seed: int) -> int:
    """Write at least so many rows, to the next whole `ROWS`; returns their number."""
    rng = np.random.default_rng(seed)
    pool = {name: pl.Series(name, _words(rng, 2000)) for name in (*LINEAGE, *PLACE, *EVENT)}
    rows = 0
    with path.open("wb") as stream:
        stream.write(("\t".join(LAYOUT) + "\n").encode())
        while rows < least:
            number = rng.permutation(ROWS) + rows
            number[:: ROWS // 500] = number[1 :: ROWS // 500]
            lineage, place, event = (rng.zipf(1.3, ROWS) % 2000 for _ in range(3))
            bases = rng.choice(np.frombuffer(b"AAATTTTCG", np.uint8), (ROWS, 658))
            marker = np.where(rng.random(ROWS) < 0.1, "28S", "COI-5P")
            columns = {
                "processid": pl.Series(number).cast(pl.String).str.zfill(8) + "-25",
                "sampleid": pl.Series(number).cast(pl.String).str.zfill(8) + "-A01",
                "nuc": pl.Series(bases.view("S658").ravel().astype("U658")),
                "marker_code": pl.Series(marker),
                "country_iso": pl.Series(np.array(["NO", "NA", "CA", "None"])[place % 4]),
                "nuc_basecount": pl.Series(np.full(ROWS, "658")),
            }
            columns["processid"] = "GEN" + columns["processid"]
            columns["record_id"] = columns["processid"] + "." + columns["marker_code"]
            for names, drawn in ((LINEAGE, lineage), (PLACE, place), (EVENT, event)):
                columns |= {name: pool[name].gather(drawn) for name in names}
            missing = pl.Series(np.full(ROWS, "None"))
            frame = pl.DataFrame([columns.get(name, missing).alias(name) for name in LAYOUT])
            text = frame.write_csv(separator="\t", include_header=False, quote_style="never")
            for broken in range(ROWS // 10_000):
                text += f"BROKEN{rows + broken}-25\ttoo\tfew\n"
            stream.write(text.encode())
            rows += ROWS + ROWS // 10_000
    return rows


_PRELUDE = """
import json, resource, sys, time
import polars as pl
def spent():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return time.perf_counter(), used.ru_utime + used.ru_stime, used.ru_maxrss / 1024
started = spent()
"""
_REPORT = "\nended = spent(); print(json.dumps([ended[0] - started[0], ended[1] - started[1], ended[2]]))"
_BARE = (
    "pl.scan_csv(sys.argv[1], separator='\\t', quote_char=None, infer_schema=False, truncate_ragged_lines=True)"
    ".sink_parquet(sys.argv[2] + '/bare.parquet')"
)
_EXTRACT = (
    "from pathlib import Path\n"
    "from bioscan_etl.records.extract import extract\n"
    "from bioscan_etl.records.sources import RecordsFile\n"
    "from bioscan_etl.settings import RecordSettings\n"
    "started = spent()\n"
    "extract([RecordsFile(sys.argv[1])], 'bench', RecordSettings(), Path(sys.argv[2]))"
)


def _measure(code: str, source: Path, folder: Path) -> tuple[float, float, float]:
    """Seconds, processor seconds and peak MiB of some code in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", _PRELUDE + code + _REPORT, str(source), str(folder)],
        check=True,
        capture_output=True,
        text=True,
        cwd=Path(__file__).resolve().parents[1],
    )
    seconds, processor, peak = json.loads(done.stdout)
    return seconds, processor, peak


def main() -> None:
    """Generate, measure by turns, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="where the files go; the system's temporary folder by default")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        folder = Path(name)
        source = folder / "generated.tsv"
        rows = generate(source, arguments.rows, arguments.seed)
        size = source.stat().st_size / 1e6
        print(
            f"generated BCDM 2025 table, seed {arguments.seed}: {rows:,} rows, {size:,.0f} MB, 76 columns", flush=True
        )
        bare, ours = [], []
        for _ in range(arguments.repeats):
            bare.append(_measure(_BARE, source, folder))
            (folder / "bare.parquet").unlink()
            ours.append(_measure(_EXTRACT, source, folder))
            found = pl.scan_parquet(folder / "records.parquet").select(pl.len()).collect().item()
            (folder / "records.parquet").unlink()
    print(f"records chosen: {found:,}")
    print(f"{'':32}  seconds  processor s     MB/s   peak MiB")
    for label, runs in (("polars scan_csv + sink_parquet", bare), ("records.extract", ours)):
        seconds, processor = (statistics.median(run[at] for run in runs) for at in (0, 1))
        print(f"{label:32} {seconds:8.1f} {processor:12.1f} {size / seconds:8.0f} {max(run[2] for run in runs):10.0f}")
    for label, at in (("time", 0), ("processor time", 1)):
        ratio = statistics.median(run[at] for run in ours) / statistics.median(run[at] for run in bare)
        print(f"ratio of {label}: {ratio:.2f} (goal: at most 2)")


if __name__ == "__main__":
    main()
