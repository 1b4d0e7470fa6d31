"""The arguments of the command line: what can be said, and its help.

Belongs here: commands that work on a corpus, their options and texts, and what all commands share. Does not belong
here: the commands that need no corpus (`arguments_alone`), and what the commands do.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from bioscan_etl import __version__
from bioscan_etl.cli.arguments_alone import add_commands
from bioscan_etl.cli.parsing import Commands, Parser, port, positive

EXIT_CODES = (
    "Exit codes: 0 done; 1 check found faults, images could not be fetched, why found nothing, or a batch or the "
    "release failed; 2 the command, a setting or an input cannot be used; 130 interrupted."
)


def parser() -> Parser:
    """The command line's parser.

    Its `parse_args` raises `UsageError` where the words are no command.
    """
    top = Parser(
        prog="bioscan-etl",
        description="Turn BOLD records and specimen images into a checked release.",
        epilog=EXIT_CODES,
    )
    top.add_argument("--version", action="version", version=f"bioscan-etl {__version__}")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    voice = _voice()
    answer = _answer(voice)
    _add_run(commands, answer)
    _add_land(commands, answer)
    _add_ui(commands, voice)
    _add_status(commands, answer)
    _add_why(commands, answer)
    _add_withdraw(commands, answer)
    _add_demo(commands, answer)
    add_commands(commands, answer)
    return top


def _voice() -> Parser:
    """How much every command says."""
    voice = Parser(add_help=False)
    loud = voice.add_mutually_exclusive_group()
    loud.add_argument("-q", "--quiet", action="store_true", help="show no progress, only results and errors")
    loud.add_argument("-v", "--verbose", action="store_true", help="show the library's log and Dagster's run ids too")
    return voice


def _answer(voice: Parser) -> Parser:
    """The form in which a command answers."""
    answer = Parser(add_help=False, parents=[voice])
    answer.add_argument("--json", action="store_true", help="print the result as one JSON document")
    return answer


def _add_run(commands: Commands, answer: Parser) -> None:
    run = commands.add_parser(
        "run",
        parents=[answer],
        help="ingest batches and make the next release",
        description=(
            "Land the records and images as specimen batches, ingest every batch that is new or out of date, curate "
            "the whole corpus and make its next release. Without --records: the batches that landed in OUTPUT, and the "
            "folders there that are complete. A batch that fails does not stop the others; it is listed at the end."
        ),
        epilog=EXIT_CODES,
    )
    run.add_argument(
        "--records",
        nargs="+",
        action="extend",
        metavar="FILE",
        help="BOLD records: TSV, JSON lines, Parquet, .gz, .zip, .tar.gz; a folder of these; s3:// and https:// too",
    )
    run.add_argument(
        "--images",
        nargs="+",
        action="extend",
        metavar="DIR|ZIP|S3|bold",
        help="folder, .zip or s3:// prefix; the word bold: fetch them from BOLD first, by the records' process IDs",
    )
    run.add_argument("--image-manifest", metavar="CSV", help="processid,image_file: which image is whose")
    run.add_argument("--output", type=Path, required=True, metavar="DIR", help="lake and releases go here")
    run.add_argument("--batch", metavar="NAME", help="one batch of this name; without it, one per records file")
    _add_snapshot_date(run)
    run.add_argument(
        "--settings",
        type=Path,
        metavar="FILE",
        help="TOML that becomes the settings of the corpus (DIR/settings.toml); without it, those it has count; "
        "docs/reference/settings.md lists them",
    )
    run.add_argument("--publish", metavar="S3", help="mirror the release to s3://bucket/prefix after it is made")
    run.add_argument("--dry-run", action="store_true", help="say what would be done and why; change nothing")
    run.set_defaults(act="run")


def _add_snapshot_date(command: Parser) -> None:
    command.add_argument(
        "--snapshot-date",
        type=dt.date.fromisoformat,
        metavar="YYYY-MM-DD",
        help="date of the BOLD snapshot, where neither file name nor descriptor says it",
    )


def _add_land(commands: Commands, answer: Parser) -> None:
    land = commands.add_parser(
        "land",
        parents=[answer],
        help="land a delivery as a batch, without running anything",
        description=(
            "Land a delivery as one specimen batch: hash its files and write its marker. Files stay where they are. "
            "Records, images and the image manifest are recognised by what they hold."
        ),
    )
    land.add_argument(
        "sources", nargs="+", metavar="FOLDER|FILE", help="one folder with the whole delivery, or its files and folders"
    )
    _add_output(land)
    # The sentences of landing call it --batch, as `run` does.
    land.add_argument(
        "--name", "--batch", dest="name", metavar="NAME", help="name of the batch; default: that of the folder or file"
    )
    _add_snapshot_date(land)
    land.set_defaults(act="land")


def _add_output(command: Parser) -> None:
    command.add_argument("--output", type=Path, required=True, metavar="DIR", help="folder of the corpus")


def _add_ui(commands: Commands, voice: Parser) -> None:
    ui = commands.add_parser(
        "ui",
        parents=[voice],
        help="serve the Dagster UI of a corpus",
        description="Serve the UI of a corpus, with its sensors and schedules, until Ctrl-C.",
    )
    ui.add_argument("output", type=Path, metavar="OUTPUT", help="folder of the corpus")
    ui.add_argument("--host", default="127.0.0.1", metavar="H", help="address to listen on (default 127.0.0.1)")
    ui.add_argument("--port", type=port, default=3000, metavar="P", help="port to listen on (default 3000)")
    ui.add_argument("--read-only", action="store_true", help="show everything, start nothing")
    ui.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="NAME",
        help="a further name by which browsers reach the UI, as behind a proxy; may be repeated",
    )
    ui.add_argument(
        "--training-python",
        type=Path,
        metavar="PATH",
        help="the Python that has the detector's training (default: this one)",
    )
    ui.set_defaults(act="ui")


def _add_status(commands: Commands, answer: Parser) -> None:
    status = commands.add_parser(
        "status",
        parents=[answer],
        help="show the batches, the releases, and what the next run would do",
        description=(
            "Show each batch with its state and the reason for it, what the next run would do, and the releases. It is "
            "a report: the exit code is 0 also where a batch has failed."
        ),
    )
    _add_output(status)
    status.set_defaults(act="status")


def _add_why(commands: Commands, answer: Parser) -> None:
    why = commands.add_parser(
        "why",
        parents=[answer],
        help="show what became of a specimen, and why",
        description=(
            "Show every row and image of a process ID, the rules and gates that hit it, its changed values, its "
            "partition, and where it is in each release. Exit code 1 where nothing is known of it."
        ),
    )
    why.add_argument("processid", metavar="PROCESSID", help="process ID of the specimen")
    _add_output(why)
    why.set_defaults(act="why")


def _add_withdraw(commands: Commands, answer: Parser) -> None:
    withdraw = commands.add_parser(
        "withdraw",
        parents=[answer],
        help="keep a batch out of the releases to come",
        description=(
            "Keep a batch out of the releases to come, with a reason that they state; nothing is deleted. --undo takes "
            "it in again."
        ),
    )
    withdraw.add_argument("batch", metavar="BATCH", help="name of the batch")
    which = withdraw.add_mutually_exclusive_group(required=True)
    which.add_argument("--reason", metavar="TEXT", help="why the batch is withdrawn")
    which.add_argument("--undo", action="store_true", help="undo the withdrawal")
    _add_output(withdraw)
    withdraw.set_defaults(act="withdraw")


def _add_demo(commands: Commands, answer: Parser) -> None:
    demo = commands.add_parser(
        "demo",
        parents=[answer],
        help="write a synthetic corpus with planted defects",
        description="Write a synthetic corpus: several batches, two record layouts, images, and a truth table.",
    )
    demo.add_argument("--output", type=Path, required=True, metavar="DIR")
    demo.add_argument("--specimens", type=positive, default=300, metavar="N", help="about this many (default 300)")
    demo.add_argument("--seed", type=int, default=0, metavar="S", help="same seed, same bytes (default 0)")
    demo.set_defaults(act="demo")
