"""The arguments of the commands that need no corpus: check, diff, publish, split, detect, compare, fetch.

Belongs here: these commands, their options and texts. Does not belong here: the commands that work on a corpus, and
what all commands share (`arguments`).
"""

from __future__ import annotations

from pathlib import Path

from bioscan_etl.cli.parsing import Commands, Parser, positive


def add_commands(commands: Commands, answer: Parser) -> None:
    """Add the commands; `answer` holds the options that all of them have."""
    _add_detect(commands, answer)
    _add_release_commands(commands, answer)
    _add_split(commands, answer)
    _add_compare(commands, answer)
    _add_fetch(commands, answer)


def _add_detect(commands: Commands, answer: Parser) -> None:
    detect = commands.add_parser(
        "detect",
        parents=[answer],
        help="find the specimens of images, without records",
        description=(
            "Find the specimen of each image as the pipeline does: box, confidence, status and sizes. One row per "
            "image, also where it is empty or cannot be read. See docs/explanation/detector.md."
        ),
    )
    detect.add_argument("images", metavar="IMAGES", help="folder, zip or s3://bucket/prefix")
    detect.add_argument("--output", type=Path, required=True, metavar="FILE", help=".parquet or .csv")
    detect.add_argument(
        "--model", metavar="MODEL", help="trained (the default), segmentation, or the path of an .onnx or .pt model"
    )
    detect.add_argument("--masks", type=Path, metavar="DIR", help="write the organism of each image as PNG")
    detect.add_argument("--settings", type=Path, metavar="FILE", help="TOML with settings; [images] is read")
    detect.set_defaults(act="detect")


def _add_release_commands(commands: Commands, answer: Parser) -> None:
    check = commands.add_parser(
        "check",
        parents=[answer],
        help="verify a release by itself",
        description="Verify checksums, schema, invariants and counts of a release. Exit code 1 and a list of faults.",
    )
    check.add_argument(
        "release", metavar="RELEASE", help="folder of the release, or s3://bucket/prefix/v3, which is fetched first"
    )
    check.add_argument("--all-images", action="store_true", help="decode every image, not a sample")
    check.add_argument("--most", type=positive, default=50, metavar="N", help="faults to print (default 50)")
    check.set_defaults(act="check")

    diff = commands.add_parser(
        "diff",
        parents=[answer],
        help="what differs between two releases",
        description=(
            "Tell two releases apart: records added, removed, moved between partitions and relabelled, other fields "
            "and images, each with its reason. See docs/guide/releases.md."
        ),
    )
    diff.add_argument("before", metavar="A", help="folder of a release, or a version such as v1 or latest")
    diff.add_argument("after", metavar="B", help="the same of the other release")
    diff.add_argument(
        "--in",
        dest="releases",
        type=Path,
        metavar="DIR",
        help="where versions are looked up: the --output of run, or its folder releases",
    )
    diff.add_argument("--output", type=Path, metavar="FILE", help="write every difference: .parquet or .csv")
    diff.add_argument("--most", type=positive, default=5, metavar="N", help="pairs of values per field (default 5)")
    diff.set_defaults(act="diff")

    publish = commands.add_parser(
        "publish",
        parents=[answer],
        help="mirror a release to S3",
        description=(
            "Mirror a release to s3://bucket/prefix/<version>, whole or not at all, and let s3://bucket/prefix/latest "
            "name it. The same command again goes on after a break. See docs/guide/releases.md."
        ),
    )
    publish.add_argument("release", type=Path, metavar="RELEASE", help="folder of the release")
    publish.add_argument("location", metavar="S3", help="s3://bucket/prefix")
    publish.set_defaults(act="publish")


def _add_split(commands: Commands, answer: Parser) -> None:
    split = commands.add_parser(
        "split",
        parents=[answer],
        help="assign partitions to a table",
        description="Assign partitions to a curated table of processid, genus, species, dna_barcode, in its row order.",
    )
    split.add_argument("table", type=Path, metavar="TABLE", help="CSV or Parquet")
    split.add_argument(
        "--protocol",
        choices=("bioscan-5m", "stable"),
        help="default: that of the settings, bioscan-5m without any; see docs/guide/partitions.md",
    )
    split.add_argument("--output", type=Path, required=True, metavar="FILE", help="CSV or Parquet: processid, split")
    split.add_argument(
        "--earlier",
        type=Path,
        metavar="FILE",
        help="stable: what was assigned before, as --memory wrote it (or a release's partition_memory.parquet): "
        "processid, split, genus, species, dna_barcode",
    )
    split.add_argument("--moves", type=Path, metavar="FILE", help="stable: write who moved, whence, whither and why")
    split.add_argument("--memory", type=Path, metavar="FILE", help="stable: write what the next --earlier needs")
    split.add_argument("--settings", type=Path, metavar="FILE", help="TOML with settings; [splits] is read")
    split.set_defaults(act="split")


def _add_compare(commands: Commands, answer: Parser) -> None:
    compare = commands.add_parser(
        "compare",
        parents=[answer],
        help="what changed between two snapshots of BOLD records",
        description=(
            "Compare the records that two snapshots share, field by field, whatever their layouts; values are compared "
            "in one spelling and shown as delivered. FILE gets a row per change, FILE's name with -records the process "
            "IDs that one snapshot alone holds."
        ),
    )
    compare.add_argument("earlier", metavar="EARLIER", help="a records file or a folder of them, as for run --records")
    compare.add_argument("later", metavar="LATER", help="the same of the later snapshot")
    compare.add_argument("--output", type=Path, required=True, metavar="FILE", help=".csv or .parquet")
    compare.add_argument("--settings", type=Path, metavar="FILE", help="TOML with settings")
    compare.set_defaults(act="compare")


def _add_fetch(commands: Commands, answer: Parser) -> None:
    fetch = commands.add_parser(
        "fetch",
        help="fetch records or images from BOLD",
        description="Fetch what BOLD has published: records by a query, images by process ID. "
        "See docs/how-to/fetch.md.",
    )
    kinds = fetch.add_subparsers(dest="kind", required=True, metavar="KIND")

    records = kinds.add_parser(
        "records",
        parents=[answer],
        help="records of a query into one file",
        description=(
            "Download the records of a query, at most a million. After a break the same command goes on where BOLD "
            "lets it, else starts anew; the file appears only when it is whole."
        ),
    )
    records.add_argument("query", metavar="QUERY", help="terms joined by ';', as in 'tax:Culicidae;geo:Canada'")
    records.add_argument("--output", type=Path, required=True, metavar="FILE", help="the file to write")
    records.add_argument(
        "--format", choices=("tsv", "json"), help="without it, json for .json, .jsonl, .ndjson, else tsv"
    )
    records.add_argument("--settings", type=Path, metavar="FILE", help="TOML with settings; [bold] is read")
    records.set_defaults(act="fetch_records")

    images = kinds.add_parser(
        "images",
        parents=[answer],
        help="images of process IDs into a folder",
        description=(
            "Fetch one image per process ID into a folder, with the index image_manifest.csv and the table "
            "failures.csv. Images that stand are not fetched again. Exit code 1 where some could not be fetched."
        ),
    )
    which = images.add_mutually_exclusive_group(required=True)
    which.add_argument("processids", nargs="?", type=Path, metavar="PROCESSIDS_FILE", help="one process ID per line")
    which.add_argument("--records", metavar="FILE", help="BOLD records whose images are wanted")
    images.add_argument("--output", type=Path, required=True, metavar="DIR", help="the folder to fill")
    images.add_argument(
        "--settings", type=Path, metavar="FILE", help="TOML with settings; [bold] and [records] are read"
    )
    images.set_defaults(act="fetch_images")
