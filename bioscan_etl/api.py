"""The functions that a notebook calls; the command line wraps the same ones.

Belongs here: one function per task, which takes paths, frames and arrays and returns values. Does not belong here: the
work itself, which is in the module that each function imports, and any text for a terminal (`bioscan_etl.cli`).

Nothing is printed. What cannot be done raises `bioscan_etl.BioscanError`, whose message is one line that names the
thing and the way out. A `corpus` is the folder that holds landing folder, lake, settings and releases of one dataset.
A `progress` is called with a stage's name, what is done and the total (see `bioscan_etl.progress`).

Modules are imported inside the functions: one that only splits a table needs neither Dagster nor OpenCV.
"""

from __future__ import annotations

import datetime as dt
import re
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from bioscan_etl.io.paths import real_path
from bioscan_etl.progress import Progress, silent

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import polars as pl

    from bioscan_etl.alerts import Entry, Outcome
    from bioscan_etl.bold.images import FetchedImages
    from bioscan_etl.bold.records import FetchedRecords
    from bioscan_etl.decisions.standing import Standing
    from bioscan_etl.evaluation.run import Evaluated
    from bioscan_etl.explain import Why
    from bioscan_etl.findings import Finding
    from bioscan_etl.lake import Lake
    from bioscan_etl.overview import Overview, Withdrawal
    from bioscan_etl.plans import Plan
    from bioscan_etl.proposals.add import Listed
    from bioscan_etl.records.compare import Comparison
    from bioscan_etl.release.check import Fault
    from bioscan_etl.release.diff.compare import Difference
    from bioscan_etl.release.ship.mirror import Published
    from bioscan_etl.runs import Event, Order, Run
    from bioscan_etl.settings import ImageSettings, Settings
    from bioscan_etl.statistics.described import Described
    from bioscan_etl.taxonomy.listing import NameList

Place = str | Path
"""A path as a text or a `Path`; `~` is the home folder."""


@dataclass(frozen=True, slots=True)
class Demo:
    """A synthetic corpus.

    Attributes:
        batches: the batches that have landed.
        specimens: number of specimens.
        images: number of image files.
        landing: folder of the deliveries.
        truth: folder of the tables that say what is wrong with which row.
    """

    batches: tuple[str, ...]
    specimens: int
    images: int
    landing: Path
    truth: Path


@dataclass(frozen=True, slots=True)
class LandedImages:
    """An image source of a batch.

    Attributes:
        location: folder, zip or S3 prefix.
        files: number of image files.
    """

    location: str
    files: int


@dataclass(frozen=True, slots=True)
class LandedBatch:
    """A delivery that has landed.

    Attributes:
        batch: its name.
        folder: of its marker.
        delivery: fingerprint of its content, hex.
        records: its records files.
        images: its image sources.
        image_manifest: CSV that assigns images to process IDs; None if there is none.
        left_out: names of files of no known kind.
    """

    batch: str
    folder: Path
    delivery: str
    records: tuple[str, ...]
    images: tuple[LandedImages, ...]
    image_manifest: str | None
    left_out: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Split:
    """Partitions of a table, and how good they are.

    Attributes:
        protocol: that assigned them.
        partitions: processid, split; text, in the order of the table's rows.
        moves: processid, before, after, reason and more (`schema.PARTITION_MOVES`); no rows without `earlier`.
        memory: `earlier` of the next call; None of protocol "bioscan-5m", or where files were written but not this one.
        targets: per partition, what the protocol wants beside what was reached.
        classes: the same by number of records of a species.
        findings: checks of the partitions; those with `passed` False name the records.
    """

    protocol: str
    partitions: pl.DataFrame
    moves: pl.DataFrame
    memory: pl.DataFrame | None
    targets: pl.DataFrame
    classes: pl.DataFrame
    findings: tuple[Finding, ...]


def write_demo(corpus: Place, specimens: int = 300, seed: int = 0, *, progress: Progress = silent) -> Demo:
    """Write a synthetic corpus with planted defects, and land its batches; the same arguments give the same bytes.

    Args:
        corpus: folder to write into; an earlier demo there is replaced.
        specimens: number of specimens, from 1.
        seed: seed of everything, from 0.
        progress: reports each step.

    Raises:
        SourceError: no specimens, a negative seed, or the folder holds something else.

    Examples:
        >>> import bioscan_etl
        >>> bioscan_etl.write_demo("out", specimens=40).batches
        ('autumn-2025', 'malaise-2023', 'survey-2024')
    """
    from bioscan_etl import landing
    from bioscan_etl.demo.corpus import write_demo
    from bioscan_etl.lake import Lake

    root = real_path(_path(corpus))
    summary = write_demo(root, specimens, seed, progress)
    for batch in summary.batches:
        images = [] if batch.images is None else [str(batch.images)]
        manifest = None if batch.image_manifest is None else str(batch.image_manifest)
        landing.register(Lake(root), batch.name, [str(path) for path in batch.records], images, manifest)
    return Demo(
        batches=tuple(sorted(batch.name for batch in summary.batches)),
        specimens=summary.specimens,
        images=summary.images,
        landing=root / "landing",
        truth=root / "truth",
    )


def run(
    corpus: Place,
    *,
    records: Sequence[Place] = (),
    images: Sequence[Place] = (),
    image_manifest: Place | None = None,
    batch: str | None = None,
    snapshot_date: dt.date | None = None,
    settings: Place | None = None,
    publish: str | None = None,
    progress: Progress = silent,
    listen: Callable[[Event], None] | None = None,
) -> Run:
    """Land records and images, ingest every batch that is not current, and make the next release of the corpus.

    Without `records`: the batches that have landed, and the complete folders of the inbox. A batch that fails does not
    stop the others; it is listed in `failed`. Needs the extra `pipeline`.

    Args:
        corpus: folder of the corpus; it is made if there is none.
        records: BOLD records: TSV, JSON lines, Parquet, .gz, .zip, .tar.gz, or folders of these; `s3://` and
            `https://`, too.
        images: folders, .zip files or `s3://` prefixes; the word `bold` fetches them from BOLD by process ID.
        image_manifest: CSV of processid, image_file, if file names do not state the process IDs.
        batch: name of one batch of all records; None for one batch per records file.
        snapshot_date: date of the BOLD snapshot, where neither file name nor descriptor says it.
        settings: TOML file that becomes the settings of the corpus; None keeps those it has.
        publish: `s3://bucket/prefix` to mirror the release to.
        progress: reports every step.
        listen: called with each event of `bioscan_etl.runs` as soon as it happens, such as the batches that landed.

    Raises:
        SettingsError: the settings cannot be used; nothing has changed.
        SourceError: a records file cannot be used, or there is nothing to run.
        LakeError: the corpus is of another layout.
        MissingExtraError: Dagster is not installed.

    Examples:
        >>> import bioscan_etl
        >>> done = bioscan_etl.run("out")
        >>> done.release.version, done.failed
        ('v1', ())
        >>> done.release.ledger["specimens"] > 0
        True
        >>> bioscan_etl.run("out").release.made  # nothing changed: no new release
        False
    """
    from bioscan_etl.extras import extras_named, require_extra
    from bioscan_etl.lake import Lake

    require_extra("pipeline")
    from bioscan_etl.runs import run_corpus

    order = _order(records, images, image_manifest, batch, snapshot_date, settings, publish)
    lake = Lake(real_path(_path(corpus)))
    with extras_named():
        if listen is None:
            return run_corpus(lake, order, progress=progress)
        return run_corpus(lake, order, progress=progress, listen=listen)


def plan(
    corpus: Place,
    *,
    records: Sequence[Place] = (),
    images: Sequence[Place] = (),
    image_manifest: Place | None = None,
    batch: str | None = None,
    snapshot_date: dt.date | None = None,
    settings: Place | None = None,
    publish: str | None = None,
) -> Plan:
    """Find out what `run` with the same arguments would land, ingest and release, and why; nothing changes.

    Raises:
        SettingsError: the settings cannot be used.
        SourceError: a records file cannot be used.
        LakeError: the corpus is of another layout.

    Examples:
        >>> import bioscan_etl
        >>> bioscan_etl.plan("nowhere").release.blocked
        'no batch is ingested yet'
    """
    from bioscan_etl.lake import Lake
    from bioscan_etl.runs import plan_run

    order = _order(records, images, image_manifest, batch, snapshot_date, settings, publish)
    return plan_run(Lake(real_path(_path(corpus))), order)


def land(
    corpus: Place,
    sources: Place | Sequence[Place],
    name: str | None = None,
    *,
    snapshot_date: dt.date | None = None,
    progress: Progress = silent,
) -> LandedBatch:
    r"""Land a delivery as one specimen batch: hash its files and write its marker; files stay where they are.

    Args:
        corpus: folder of the corpus; it is made if there is none.
        sources: one folder with the whole delivery, or its files and folders; each is recognised by its content.
        name: of the batch; None for that of the folder or file.
        snapshot_date: date of the BOLD snapshot, where neither file name nor descriptor says it.
        progress: reports the images hashed.

    Raises:
        SourceError: a source is absent or of no known kind, there are no records, or the batch needs a name.
        LakeError: the corpus is of another layout.

    Examples:
        >>> import bioscan_etl
        >>> from pathlib import Path
        >>> columns = ["processid", "marker_code", "nuc", "bin_uri", "phylum", "class", "order", "family", "subfamily",
        ...            "genus", "species"]
        >>> row = ["AAASF001-17", "COI-5P", "ACGT", "BOLD:AAA0001", *["None"] * 7]
        >>> _ = Path("plate-7.tsv").write_text("\t".join(columns) + "\n" + "\t".join(row) + "\n")
        >>> landed = bioscan_etl.land("corpus", "plate-7.tsv")
        >>> landed.batch, landed.left_out
        ('plate-7', ())
    """
    from bioscan_etl import landing
    from bioscan_etl.lake import Lake

    given = [_location(one) for one in ([sources] if isinstance(sources, str | Path) else sources)]
    lake = Lake(real_path(_path(corpus)))
    lake.require_format()
    batch = landing.land(lake, given, name, snapshot_date=snapshot_date, progress=progress)
    return LandedBatch(
        batch=batch.name,
        folder=lake.landing / batch.name,
        delivery=batch.fingerprint,
        records=tuple(batch.locate(entry.location) for entry in batch.records),
        images=tuple(LandedImages(batch.locate(entry.location), entry.files) for entry in batch.images),
        image_manifest=batch.locate(batch.image_manifest.location) if batch.image_manifest else None,
        left_out=tuple(unknown for source in given for unknown in landing.recognise(source).unknown),
    )


def status(corpus: Place) -> Overview:
    """Look at the batches and releases of a corpus, and at what the next run would do.

    Args:
        corpus: folder of the corpus.

    Raises:
        SourceError: there is no such folder.
        LakeError: the corpus is of another layout.

    Examples:
        >>> import bioscan_etl
        >>> found = bioscan_etl.status("corpus")
        >>> [(batch.batch, batch.status) for batch in found.batches]
        [('plate-7', 'landed')]
        >>> found.next_run.to_ingest
        ('plate-7',)
    """
    from bioscan_etl.lake.corpus import read_settings
    from bioscan_etl.overview import survey_corpus

    lake = _existing(corpus)
    return survey_corpus(lake, read_settings(lake))


def why(corpus: Place, processid: str) -> Why:
    """Find out what became of a specimen: rows, images, rules, gates, changed values, partition and releases.

    Args:
        corpus: folder of the corpus.
        processid: exact; upper and lower case differ.

    Raises:
        SourceError: there is no such folder, or the process ID is empty.
        BioscanError: the state of the batches cannot be determined.

    Examples:
        >>> import bioscan_etl
        >>> bioscan_etl.why("corpus", "AAASF999-17").is_known
        False
    """
    from bioscan_etl.explain import explain
    from bioscan_etl.lake.corpus import read_settings

    lake = _existing(corpus)
    return explain(lake, read_settings(lake), processid)


@dataclass(frozen=True, slots=True)
class Decided:
    """What `decide` saved.

    Attributes:
        added: number of lines in the file that was given.
        files: the curators' files that now have them.
    """

    added: int
    files: tuple[Path, ...]


def decide(corpus: Place, file: Place, *, curator: str | None = None) -> Decided:
    """Put a file of curators' decisions into a corpus; the next run applies them.

    Args:
        corpus: folder of the corpus.
        file: CSV of decisions (docs/guide/decisions.md), or of the overrides of earlier versions.
        curator: who decided; None: the column `curator` says so.

    Raises:
        SourceError: there is no such folder or file, or a line is wrong; then none is saved.

    Examples:
        >>> import bioscan_etl
        >>> bioscan_etl.decide("corpus", "reviewed.csv").added
        1
    """
    from bioscan_etl.decisions.write import save_file

    files, added = save_file(_existing(corpus), Path(file).expanduser(), curator)
    return Decided(added, tuple(files))


def list_decisions(corpus: Place) -> Standing:
    """The curators' decisions of a corpus as they stand, with what the last run made of each.

    Args:
        corpus: folder of the corpus.

    Raises:
        SourceError: there is no such folder.

    Examples:
        >>> import bioscan_etl
        >>> bioscan_etl.list_decisions("corpus").lines.select("processid", "action", "status").rows()
        [('AAASF001-17', 'reject', 'new')]
    """
    from bioscan_etl.decisions.standing import standing

    return standing(_existing(corpus))


@dataclass(frozen=True, slots=True)
class Proposed:
    """What `propose` did.

    Attributes:
        added: number of lines in the file that was given.
        file: the copy of it in the corpus.
    """

    added: int
    file: Path


def propose(corpus: Place, file: Place) -> Proposed:
    """Put a file of reports from users of the published data into a corpus; curators decide on them.

    Args:
        corpus: folder of the corpus.
        file: CSV of reports (docs/guide/decisions.md).

    Raises:
        SourceError: there is no such folder or file, a line is wrong, or another file of this name is there already;
            then nothing is added.

    Examples:
        >>> import bioscan_etl
        >>> bioscan_etl.propose("corpus", "from_users.csv").added
        1
    """
    from bioscan_etl.proposals.add import add_file

    target, added = add_file(_existing(corpus), Path(file).expanduser())
    return Proposed(added, target)


def list_proposals(corpus: Place) -> Listed:
    """The reports from users of a corpus, with what the last run made of each.

    Args:
        corpus: folder of the corpus.

    Raises:
        SourceError: there is no such folder.

    Examples:
        >>> import bioscan_etl
        >>> bioscan_etl.list_proposals("corpus").lines.select("processid", "reason", "status").rows()
        [('AAASF001-17', 'no_insect', 'new')]
    """
    from bioscan_etl.proposals.add import listed

    return listed(_existing(corpus))


def write_corrections(corpus: Place, file: Place) -> int:
    """Write the values that curators corrected, for an update of the records at BOLD.

    Args:
        corpus: folder of the corpus.
        file: ending in `.zip`: the worksheets of BOLD's template (`bioscan_etl.decisions.bold_template.TEMPLATE`); else
            a CSV with the columns of `bioscan_etl.decisions.for_bold.CORRECTIONS`.

    Returns:
        The number of corrected values.

    Raises:
        SourceError: there is no such folder.
        LakeError: there are corrections, but no run has listed specimens yet.

    Examples:
        >>> import bioscan_etl
        >>> bioscan_etl.write_corrections("corpus", "for_bold.csv")  # nobody has corrected anything yet
        0
    """
    from bioscan_etl.decisions.bold_template import write_template
    from bioscan_etl.decisions.for_bold import write_corrections as write_list

    path = Path(file).expanduser()
    return (write_template if path.suffix.lower() == ".zip" else write_list)(_existing(corpus), path)


def withdraw(corpus: Place, batch: str, reason: str) -> Withdrawal:
    """Keep a batch out of the releases to come; nothing is deleted, and `restore` takes it in again.

    Args:
        corpus: folder of the corpus.
        batch: name of the batch.
        reason: why; the releases state it.

    Raises:
        SourceError: there is no such folder or batch, no reason, or the batch is withdrawn already.

    Examples:
        >>> import bioscan_etl
        >>> bioscan_etl.withdraw("corpus", "plate-7", "two plates were mixed up").next_run.to_ingest
        ()
    """
    from bioscan_etl.lake.corpus import read_settings
    from bioscan_etl.overview import set_withdrawn

    lake = _existing(corpus)
    return set_withdrawn(lake, read_settings(lake), batch, reason)


def restore(corpus: Place, batch: str) -> Withdrawal:
    """Undo the withdrawal of a batch.

    Args:
        corpus: folder of the corpus.
        batch: name of the batch.

    Raises:
        SourceError: there is no such folder, or the batch is not withdrawn.

    Examples:
        >>> import bioscan_etl
        >>> bioscan_etl.restore("corpus", "plate-7").withdrawn
        False
    """
    from bioscan_etl.lake.corpus import read_settings
    from bioscan_etl.overview import set_withdrawn

    lake = _existing(corpus)
    return set_withdrawn(lake, read_settings(lake), batch, None)


def open_alerts(corpus: Place) -> list[Entry]:
    """List the open alerts, as they were when they were last looked for, with the channels that each was sent to.

    Args:
        corpus: folder of the corpus.

    Raises:
        SourceError: there is no such folder.
        LakeError: the list is damaged.

    Examples:
        >>> import bioscan_etl
        >>> bioscan_etl.open_alerts("corpus")
        []
    """
    from bioscan_etl.alerts import read_ledger

    return list(read_ledger(_existing(corpus)).entries.values())


def send_alerts(corpus: Place, *, test: bool = False) -> Outcome:
    """Look at what needs a person, and send what was not sent yet, as the UI does it every minute.

    Runs of Dagster are not looked at: where no UI runs, failures are those of batches and of the release.

    Args:
        corpus: folder of the corpus.
        test: send a test message instead.

    Raises:
        SourceError: there is no such folder.
        SettingsError: alerts are off.
        LakeError: the list of alerts is damaged, or another process sends alerts.

    Examples:
        >>> import bioscan_etl
        >>> bioscan_etl.send_alerts("corpus")
        Traceback (most recent call last):
            ...
        bioscan_etl.errors.SettingsError: alerts are off; set alerts.webhook or alerts.mail_to in settings.toml, or BIOSCAN_ALERTS_WEBHOOK
    """  # noqa: E501
    from bioscan_etl.alerts import old_doubts, require_channels, send_test, take_round
    from bioscan_etl.lake.corpus import read_settings

    lake = _existing(corpus)
    settings = read_settings(lake)
    require_channels(settings.alerts)
    if test:
        return send_test(lake, settings)
    old = old_doubts(lake, settings.alerts.doubts_older_than_days, dt.datetime.now(dt.UTC).date())
    return take_round(lake, settings, doubts=old)


def check(
    release: Place,
    *,
    images: Literal["sample", "all"] = "sample",
    signers: Place | None = None,
    manifest_sha256: str = "",
    progress: Progress = silent,
) -> list[Fault]:
    """Verify checksums, schema, invariants, counts and texts of a release, from the release alone.

    Args:
        release: folder of the release, or `s3://bucket/prefix/v3`, which is fetched first.
        images: decode a fixed sample of the images, or all.
        signers: file of public keys, of which one must have signed the release; None: no key is known.
        manifest_sha256: published sha256 of manifest.json; empty: not known.
        progress: reports checksums and images.

    Returns:
        Faults by file and process ID; empty if the release is good. A folder that is absent is a fault, too.

    Raises:
        SourceError: there is no such release on S3, or the file of signers has no key.
        SettingsError: `manifest_sha256` is no sha256.
        MissingExtraError: signers are given, and the extra `signatures` is not installed.

    Examples:
        >>> import bioscan_etl
        >>> bioscan_etl.check("out/releases/latest")
        []
    """
    from bioscan_etl.errors import SettingsError
    from bioscan_etl.io.locations import is_s3
    from bioscan_etl.release.check import Vouched, check
    from bioscan_etl.release.ship.mirror import download
    from bioscan_etl.release.signature import read_signers

    if manifest_sha256 and not re.fullmatch(r"[0-9a-fA-F]{64}", manifest_sha256):
        raise SettingsError(f"{manifest_sha256!r} is no sha256; give the 64 hex digits that were published")
    vouched = Vouched(() if signers is None else read_signers(_path(signers)), manifest_sha256)
    if not is_s3(str(release)):
        return check(_path(release), images=images, progress=progress, vouched=vouched)
    with tempfile.TemporaryDirectory(prefix="bioscan-check-") as scratch:
        folder = download(str(release), Path(scratch), progress)
        return check(folder, images=images, progress=progress, vouched=vouched)


def diff(
    before: Place,
    after: Place,
    *,
    releases: Place | None = None,
    output: Place | None = None,
    decisions: Place | None = None,
    progress: Progress = silent,
) -> Difference:
    """Compare two releases: records added, removed, moved and relabelled, other fields, images, lines of decisions.

    Args:
        before: folder of a release, or a version such as `v1` or `latest`.
        after: the same of the other release.
        releases: where versions are looked up: a corpus, or its folder `releases`; None for the folder beside the
            other release.
        output: file for every difference, `.parquet` or `.csv`; None writes none.
        decisions: file for every line of the decisions that came, went, or that another thing became of, `.parquet` or
            `.csv`; None writes none.
        progress: reports the records compared.

    Raises:
        SourceError: there is no such release, an output has another ending, or a file of a release is damaged.

    Examples:
        >>> import bioscan_etl
        >>> bioscan_etl.diff("v1", "latest", releases="out").is_empty
        True
    """
    from bioscan_etl.release.diff import compare as releases_compared
    from bioscan_etl.release.diff.decided import write_decisions
    from bioscan_etl.release.scan import find_release, scan_release

    where = [_path(releases)] if releases is not None else []
    # A version's name alone is looked up beside the other release, too.
    where += [_path(name).absolute().parent for name in (before, after) if "/" in str(name)]
    place = next(iter(where), None)
    first, second = (scan_release(find_release(str(name), place)) for name in (before, after))
    if output is not None:
        found = releases_compared.write_diff(first, second, _path(output), progress)
    else:
        between = releases_compared.moves_between(first, second)
        found = releases_compared.compare(first, second, progress=progress, between=between)
    if decisions is not None:
        write_decisions(found.decisions, _path(decisions))
    return found


def describe(
    source: Place | pl.DataFrame,
    *,
    releases: Place | None = None,
    settings: Settings | Place | None = None,
    published: Sequence[str] = (),
    output: Place | None = None,
    progress: Progress = silent,
) -> Described:
    """The statistics of a release or a table: categories, partitions, barcodes, distances, completeness.

    Args:
        source: folder of a release, or a version such as `v1` or `latest`: its own statistics are read. Or a frame,
            CSV or Parquet file with columns named as in a release, of which only processid is needed: they are counted.
        releases: where a version is looked up: a corpus, or its folder `releases`.
        settings: `bioscan_etl.Settings` or a TOML file, of which `[statistics]` and `barcodes.min_shared_columns` are
            read if they are counted; None for the defaults.
        published: ranks, or `dna_bin`, within whose groups barcodes are also compared by the published recipe. That
            needs the program MAFFT, and hours for a large release.
        output: folder for the tables as CSV and Parquet; None writes none.
        progress: reports what is counted.

    Raises:
        SourceError: there is no such release or table, or the table names a process ID twice; or a rank of `published`
            is unknown, or MAFFT is not installed.
        SettingsError: the settings cannot be used.

    Examples:
        >>> import bioscan_etl
        >>> found = bioscan_etl.describe("latest", releases="out")
        >>> found.tables["partitions"].columns[:3]
        ['split', 'samples', 'samples_share']
    """
    import polars as pl

    from bioscan_etl.statistics.described import describe as described
    from bioscan_etl.statistics.files import write_tables
    from bioscan_etl.statistics.published_distances import find_aligner, published_distances

    chosen = _settings(settings)
    mafft = find_aligner(published) if published else None
    found = described(
        source if isinstance(source, pl.DataFrame) else _path(source), chosen, _optional(releases), progress
    )
    if mafft is not None:
        found.tables.update(published_distances(found.rows, published, chosen.statistics, mafft, progress))
    if output is not None:
        write_tables(found.tables, _path(output))
    return found


def draw_figures(
    source: Place | pl.DataFrame,
    folder: Place,
    *,
    only: Sequence[str] | None = None,
    releases: Place | None = None,
    settings: Settings | Place | None = None,
    progress: Progress = silent,
) -> list[Path]:
    """Draw the figures of a release or a table, as SVG and PNG, and a page that shows them.

    Args:
        source: as of `describe`.
        folder: where `<name>.svg`, `<name>.png` and `index.html` are written; made if missing.
        only: names of figures; None draws all.
        releases: as of `describe`.
        settings: as of `describe`.
        progress: reports the figures.

    Returns:
        The SVG files, in the order in which they are read.

    Raises:
        SourceError: there is no such release, table or figure.
        MissingExtraError: matplotlib is not installed.

    Examples:
        >>> import bioscan_etl
        >>> [path.name for path in bioscan_etl.draw_figures("latest", "drawn", only=["site_map"], releases="out")]
        ['site_map.svg']
    """
    from bioscan_etl.extras import require_extra
    from bioscan_etl.statistics.figures import draw_figures as drawn
    from bioscan_etl.statistics.figures import have_images

    require_extra("figures")
    found = describe(source, releases=releases, settings=settings, progress=progress)
    return drawn(found.drawn(with_images=have_images(only)), _path(folder), only, progress)


def evaluate(
    release: Place,
    *,
    benchmarks: Sequence[str] = (),
    output: Place | None = None,
    releases: Place | None = None,
    budget: float = 20.0,
    seed: int = 0,
    network: str | None = None,
    weights: Place | None = None,
    minutes: float = 10.0,
    device: Literal["auto", "cpu", "cuda"] = "auto",
    text: bool = False,
    encoder: Place | None = None,
    settings: Settings | Place | None = None,
    progress: Progress = silent,
    announce: Callable[[pl.DataFrame], None] | None = None,
    dry_run: bool = False,
) -> Evaluated:
    """Measure what a model can learn from a release: the benchmarks of BarcodeBERT, clustering and CLIBD.

    Only the public files of the release are read. The scores are written beside it, as `scores.csv`, `scores.parquet`
    and a page, `index.html`. Scores of other benchmarks of the same release and seed stay there; a run replaces its
    own.

    Args:
        release: its folder, or a version such as `v1` or `latest`.
        benchmarks: names of benchmarks; none: all.
        output: folder for the scores; None: `evaluations/<version>` beside the folder `releases`.
        releases: where a version is looked up: a corpus, or its folder `releases`.
        budget: processor minutes of all benchmarks together. Queries that do not fit are drawn by the seed.
        seed: of all that is drawn; the same seed gives the same scores.
        network: size of a transformer that is pretrained on the release, such as `tiny`, and of which images and
            barcodes are aligned; None: no network is trained. Needs the extra `bench`.
        weights: a checkpoint that is asked instead.
        minutes: of the training of each benchmark; of one core or a GPU.
        device: where networks are trained.
        text: align names, too, and look images and barcodes up among them.
        encoder: weights of another image encoder, an ONNX file with its sidecar; None: the one of this package.
        settings: `bioscan_etl.Settings` or a TOML file, of which `barcodes.min_shared_columns` is read.
        progress: reports what is measured.
        announce: is called with what it costs, before it starts: queries, keys, images and processor minutes by
            benchmark.
        dry_run: only estimate that; measure nothing and write nothing.

    Raises:
        SourceError: there is no such release or benchmark.
        MissingExtraError: scipy is not installed, or what images or networks need.
        BusyError: another run writes to the same folder for too long.

    Examples:
        >>> import bioscan_etl
        >>> found = bioscan_etl.evaluate("latest", benchmarks=["barcodebert"], releases="out", output="scores")
        >>> found.scores["task"].unique().sort().to_list()
        ['left_out_species', 'seen_species', 'unseen_genus']
    """
    from bioscan_etl.errors import SourceError
    from bioscan_etl.evaluation.run import Networks
    from bioscan_etl.evaluation.run import evaluate as evaluated
    from bioscan_etl.extras import extras_named, require_extra

    require_extra("evaluation")
    for given in (budget, minutes):
        if not given > 0:
            raise SourceError(f"{given} minutes are too few; give more than 0")
    if seed < 0:
        raise SourceError(f"{seed} is no seed; give a number from 0 on")
    with extras_named():
        return evaluated(
            _source(release),
            _optional(output),
            _settings(settings),
            benchmarks=benchmarks,
            within=_optional(releases),
            minutes=budget,
            seed=seed,
            networks=Networks(network, _optional(weights), minutes, device, text),
            encoder=_optional(encoder),
            progress=progress,
            announce=announce,
            dry_run=dry_run,
        )


def publish(release: Place, location: str, *, progress: Progress = silent) -> Published:
    """Mirror a release to S3, whole or not at all; the same call resumes after a break.

    Args:
        release: folder of the release.
        location: `s3://bucket/prefix`; the release becomes `s3://bucket/prefix/<version>`, and
            `s3://bucket/prefix/latest` names it.
        progress: reports the MiB that are there.

    Raises:
        SourceError: the location is invalid, cannot be written, or holds another release of this version.
        LakeError: the release is damaged.

    Examples:
        >>> import bioscan_etl
        >>> bioscan_etl.publish("out/releases/latest", "s3://deliveries/demo").location
        's3://deliveries/demo/v1'
    """
    from bioscan_etl.release.ship.mirror import publish_to_s3

    return publish_to_s3(_path(release), location, progress)


def split(
    table: Place | pl.DataFrame,
    *,
    protocol: Literal["bioscan-5m", "stable"] | None = None,
    earlier: Place | pl.DataFrame | None = None,
    settings: Settings | Place | None = None,
    output: Place | None = None,
    moves: Place | None = None,
    memory: Place | None = None,
) -> Split:
    """Assign partitions to a curated table, and say how close they come to what the protocol wants.

    Args:
        table: frame, CSV or Parquet file with the columns processid, genus, species, dna_barcode (and dna_bin, where
            BINs are kept together), taken as text; others are ignored.
        protocol: None for that of the settings, "bioscan-5m" without any.
        earlier: "stable": the `memory` of an earlier call, or a release's partition_memory.parquet.
        settings: `bioscan_etl.Settings` or a TOML file, of which `[splits]` is read; None for the defaults.
        output: CSV or Parquet file to write the partitions to; None writes none.
        moves: "stable": file to write the moves to.
        memory: "stable": file to write the memory to.

    Raises:
        SourceError: the table cannot be read, lacks a column, or names a process ID twice.
        SettingsError: the settings cannot be used, or do not go together with the protocol.

    Examples:
        >>> import bioscan_etl
        >>> import polars as pl
        >>> table = pl.DataFrame({
        ...     "processid": [f"P-{n}" for n in range(4)],
        ...     "genus": "Aus",
        ...     "species": ["Aus bus", "Aus bus", "Aus bus", None],
        ...     "dna_barcode": ["ACGTA", "ACGTC", "ACGTG", "ACGTT"],
        ... })
        >>> done = bioscan_etl.split(table, protocol="stable")
        >>> done.partitions.columns, done.partitions.height
        (['processid', 'split'], 4)
        >>> again = bioscan_etl.split(table, protocol="stable", earlier=done.memory)
        >>> again.partitions.equals(done.partitions), again.moves.height
        (True, 0)
    """
    import polars as pl

    from bioscan_etl.settings import with_protocol
    from bioscan_etl.splits.files import split_table
    from bioscan_etl.splits.targets import review

    wanted = _settings(settings).splits
    if protocol is not None:
        wanted = with_protocol(wanted, protocol)
    done = split_table(
        table if isinstance(table, pl.DataFrame) else _path(table),
        _optional(output),
        wanted,
        earlier=earlier if isinstance(earlier, pl.DataFrame) else _optional(earlier),
        moves=_optional(moves),
        memory=_optional(memory),
    )
    reviewed = review(done.table, done.partitions)
    return Split(
        protocol=wanted.protocol,
        partitions=done.partitions,
        moves=done.moves,
        memory=done.memory,
        targets=reviewed.partitions,
        classes=reviewed.classes,
        findings=(*reviewed.findings, reviewed.held_out),
    )


def compare(
    earlier: Place,
    later: Place,
    *,
    settings: Settings | Place | None = None,
    output: Place | None = None,
    progress: Progress = silent,
) -> Comparison:
    r"""Compare the records that two snapshots of BOLD share, field by field, independent of their layouts.

    Args:
        earlier: records file, or folder of them.
        later: the same of the later snapshot.
        settings: `bioscan_etl.Settings` or a TOML file, of which `[records]` is read; None for the defaults.
        output: `.csv` or `.parquet` file for the changes; the same name with `-records` gets the process IDs that one
            snapshot alone holds. None writes none.
        progress: reports the rows read.

    Raises:
        SourceError: a file cannot be read, or the output has another ending.
        SettingsError: the settings cannot be used.

    Examples:
        >>> import bioscan_etl
        >>> from pathlib import Path
        >>> layout = ["processid", "marker_code", "nuc", "bin_uri", "phylum", "class", "order", "family",
        ...           "subfamily", "genus", "species", "notes"]
        >>> for name, notes in (("june.tsv", "fine"), ("july.tsv", "checked")):
        ...     row = ["A-1", "COI-5P", "ACGT", *["x"] * 8, notes]
        ...     _ = Path(name).write_text("\t".join(layout) + "\n" + "\t".join(row) + "\n")
        >>> found = bioscan_etl.compare("june.tsv", "july.tsv")
        >>> found.changes.rows()
        [('A-1', 'notes', 'fine', 'checked')]
    """
    from bioscan_etl.errors import SourceError
    from bioscan_etl.records.compare import compare_files
    from bioscan_etl.records.sources import expand

    target = _optional(output)
    if target is not None and target.suffix not in {".csv", ".parquet"}:
        raise SourceError(f"--output {target} must end in .csv or .parquet")
    found = compare_files(expand(_location(earlier)), expand(_location(later)), _settings(settings).records, progress)
    if target is not None:
        _write_frame(target, found.changes)
        _write_frame(records_beside(target), found.membership)
    return found


def records_beside(output: Path) -> Path:
    """The file of `compare` that holds the records of one snapshot alone.

    Examples:
        >>> records_beside(Path("changes.csv")).name
        'changes-records.csv'
    """
    return output.with_name(f"{output.stem}-records{output.suffix}")


def names(
    file: Place,
    *,
    column: str | None = None,
    expected: str | None = None,
    rank: str = "species",
    output: Place | None = None,
    progress: Progress = silent,
) -> NameList:
    r"""Normalise a list of names, and say why each name is kept or changed.

    Args:
        file: UTF-8: one name a line; or a .csv or .tsv file with a header, also packed with gzip.
        column: column of the names; None: scientificName, species, name or taxon, otherwise the first column.
        expected: column of the names that must come out; names that do not are counted as false.
        rank: rank of the names.
        output: CSV file with a row per name; None writes none.
        progress: reports the names done.

    Raises:
        SourceError: the file cannot be read, or has no such column.

    Examples:
        >>> import bioscan_etl
        >>> from pathlib import Path
        >>> _ = Path("names.txt").write_text("Rhagium inquisitor (L.)\nOeneis melissa Norilsk\nTipula spec.\n")
        >>> found = bioscan_etl.names("names.txt")
        >>> found.listed["normalised"].to_list()
        ['Rhagium inquisitor', 'Oeneis melissa Norilsk', None]
        >>> found.listed["type"].to_list()
        ['SCIENTIFIC', 'PLACEHOLDER', 'INFORMAL']
    """
    from bioscan_etl.taxonomy.listing import list_names

    return list_names(
        _path(file), column=column, expected=expected, rank=rank, output=_optional(output), progress=progress
    )


def detect(
    images: Place | npt.NDArray[np.uint8],
    *,
    model: str | None = None,
    trust_pickle: bool = False,
    settings: Settings | Place | None = None,
    progress: Progress = silent,
) -> pl.DataFrame:
    """Find the specimen of one image, or of each image of a folder, as the pipeline does. Needs the extra `images`.

    Args:
        images: one image: a file, or pixels (height, width, 3), RGB, uint8. Or many: a folder, a .zip file or an
            `s3://` prefix; `detect_to_file` is for more of them than fit into memory as rows.
        model: `trained` (the default), `segmentation`, or the path of an .onnx or .pt model.
        trust_pickle: open a .pt model, which can run any code; the same as `images.allow_pickle`.
        settings: `bioscan_etl.Settings` or a TOML file, of which `[images]` is read; None for the defaults.
        progress: reports the images done.

    Returns:
        One row per image, also if it is empty or cannot be read, sorted by `image_file`: processid, image_file,
        width_original and height_original in pixels, the box x0, y0, x1, y1 in pixels (x1 and y1 exclusive),
        confidence (0 to 1), specimens, status, area_fraction, scale_factor, image_measurement_value, detector (its name
        and the first digits of its sum), and detail (why an image cannot be read).

    Raises:
        SettingsError: the settings cannot be used, or the model is unknown.
        SourceError: the images cannot be read.
        MissingExtraError: OpenCV or ONNX Runtime is not installed.

    Examples:
        >>> import bioscan_etl
        >>> import numpy as np
        >>> photo = np.full((768, 1024, 3), 210, np.uint8)
        >>> photo[300:400, 420:620] = 40
        >>> found = bioscan_etl.detect(photo, model="segmentation")
        >>> found.select("width_original", "height_original").row(0)
        (1024, 768)
        >>> x0, y0, x1, y1 = found.select("x0", "y0", "x1", "y1").row(0)
        >>> abs(x0 - 420) < 20 and abs(y1 - 400) < 20
        True
    """
    from bioscan_etl.extras import extras_named

    with extras_named():
        from bioscan_etl.images.find_specimens import find_specimen, specimens_of

        wanted = _image_settings(settings, model, trust_pickle)
        if not isinstance(images, str | Path):
            return find_specimen(images, wanted)
        # Only what is a zip by its content is a source of many; the ending may be missing.
        if _path(images).is_file() and not _is_zip(_path(images)):
            return find_specimen(_path(images), wanted)
        return specimens_of(_source(images), wanted, progress)


def detect_to_file(
    images: Place,
    output: Place,
    *,
    model: str | None = None,
    trust_pickle: bool = False,
    masks: Place | None = None,
    settings: Settings | Place | None = None,
    progress: Progress = silent,
) -> dict[str, int]:
    """Find the specimen of each image, as `detect` does, with rows in a file instead of memory.

    Args:
        images: a folder, a .zip file or an `s3://` prefix.
        output: `.parquet` or `.csv` file to write, which appears when it is complete.
        model: `trained` (the default), `segmentation`, or the path of an .onnx or .pt model.
        trust_pickle: open a .pt model, which can run any code; the same as `images.allow_pickle`.
        masks: folder for the organism of each image as PNG, 255 on the organism; None writes none.
        settings: `bioscan_etl.Settings` or a TOML file, of which `[images]` is read; None for the defaults.
        progress: reports the images done.

    Returns:
        Number of images (`images`), by status (such as `detected` and `empty`), and of masks written (`masks`).

    Raises:
        SettingsError: the settings cannot be used, the model is unknown, or the output has another ending.
        SourceError: the images cannot be read.
        MissingExtraError: OpenCV or ONNX Runtime is not installed.

    Examples:
        >>> import bioscan_etl
        >>> from pathlib import Path
        >>> Path("photos").mkdir()
        >>> Path("photos/AAASF001-17.jpg").write_bytes(b"no image")
        8
        >>> counts = bioscan_etl.detect_to_file("photos", "boxes.csv", model="segmentation")
        >>> counts["images"], counts["unreadable"]
        (1, 1)
    """
    from bioscan_etl.extras import extras_named

    with extras_named():
        from bioscan_etl.images.find_specimens import find_specimens

        wanted = _image_settings(settings, model, trust_pickle)
        return find_specimens(_source(images), _path(output), wanted, _optional(masks), progress)


def fetch_records(
    query: str,
    output: Place,
    *,
    form: Literal["tsv", "json"] | None = None,
    settings: Settings | Place | None = None,
    progress: Progress = silent,
) -> FetchedRecords:
    """Download the records of a query from BOLD, at most a million; the same call resumes after a break.

    Args:
        query: terms joined by `;`, as in `tax:Culicidae;geo:Canada`.
        output: file to write, which appears when it is complete; it must not exist.
        form: None takes json for .json, .jsonl and .ndjson, else tsv.
        settings: `bioscan_etl.Settings` or a TOML file, of which `[bold]` is read; None for the defaults.
        progress: reports the records downloaded.

    Raises:
        BoldError: the file exists, the query is not understood, matches nothing or too much, or BOLD does not
            deliver.
        SettingsError: the settings cannot be used.

    Examples:
        >>> import bioscan_etl
        >>> bioscan_etl.fetch_records("tax:Culicidae;geo:Canada", "q.tsv", settings="bold.toml").records
        4
    """
    from bioscan_etl.bold.records import fetch_records

    return fetch_records(query, _path(output), _settings(settings).bold, form, progress)


def fetch_images(
    processids: Place | Sequence[str] | pl.Series | None = None,
    output: Place = "images",
    *,
    records: Place | None = None,
    settings: Settings | Place | None = None,
    progress: Progress = silent,
) -> FetchedImages:
    """Fetch one image per process ID from BOLD into a folder, with an index and a table of failures.

    Images that are in the folder already are not fetched again.

    Args:
        processids: process IDs, or a file of them, one per line; None if `records` is given.
        output: folder to fill.
        records: BOLD records whose images are wanted; None if `processids` is given.
        settings: `bioscan_etl.Settings` or a TOML file, of which `[bold]` and `[records]` are read.
        progress: reports the images fetched.

    Raises:
        SourceError: the process IDs are not given, given twice, or cannot be read.
        SettingsError: the settings cannot be used.
        BoldError: BOLD cannot be reached.

    Examples:
        >>> import bioscan_etl
        >>> done = bioscan_etl.fetch_images(["AAASF000-17", "AAASF001-17"], "photos", settings="bold.toml")
        >>> done.fetched, done.failed
        (2, 0)
    """
    from bioscan_etl.bold import processids as lists
    from bioscan_etl.bold.images import fetch_images
    from bioscan_etl.errors import SourceError

    wanted = _settings(settings)
    if (processids is None) == (records is None):
        raise SourceError("give either process IDs or records whose images are wanted")
    ids: Sequence[str] | pl.Series
    if records is not None:
        ids = lists.from_records(_location(records), wanted.records)
    elif isinstance(processids, str | Path):
        ids = lists.from_list(_path(processids))
    else:
        ids = processids if processids is not None else ()
    return fetch_images(ids, _path(output), wanted.bold, progress)


def _path(place: Place) -> Path:
    from bioscan_etl.io.locations import local_path

    return local_path(place)


def _optional(place: Place | None) -> Path | None:
    return None if place is None else _path(place)


def _source(place: Place) -> str:
    """A location that may be remote."""
    return _location(place) if "://" in str(place) else str(_path(place))


def _location(place: Place) -> str:
    """A location as the package passes it on: without passwords and signatures."""
    from bioscan_etl.io.locations import hide

    return hide(str(place))


def _existing(corpus: Place) -> Lake:
    from bioscan_etl.errors import SourceError
    from bioscan_etl.lake import Lake

    root = real_path(_path(corpus))
    if not root.is_dir():
        raise SourceError(f"there is no folder {root}; give the --output of bioscan-etl run")
    return Lake(root)


def _order(
    records: Sequence[Place],
    images: Sequence[Place],
    image_manifest: Place | None,
    batch: str | None,
    snapshot_date: dt.date | None,
    settings: Place | None,
    publish: str | None,
) -> Order:
    from bioscan_etl.runs import Order

    def several(places: Sequence[Place]) -> tuple[str, ...]:
        return tuple(_location(one) for one in ([places] if isinstance(places, str | Path) else places))

    return Order(
        records=several(records),
        images=several(images),
        image_manifest=None if image_manifest is None else _location(image_manifest),
        batch=batch,
        snapshot_date=snapshot_date,
        settings=_optional(settings),
        publish=publish,
    )


def _settings(given: Settings | Place | None) -> Settings:
    from bioscan_etl.settings import Settings, load_settings

    return given if isinstance(given, Settings) else load_settings(_optional(given))


def _image_settings(given: Settings | Place | None, model: str | None, trust_pickle: bool) -> ImageSettings:
    images = _settings(given).images
    changed = {} if model is None else {"detector": model}
    return images.model_copy(update=changed | ({"allow_pickle": True} if trust_pickle else {}))


def _is_zip(path: Path) -> bool:
    import zipfile

    return path.suffix.lower() == ".zip" or zipfile.is_zipfile(path)


def _write_frame(path: Path, frame: pl.DataFrame) -> None:
    from bioscan_etl.io.write import atomic_file
    from bioscan_etl.quality.spreadsheet import write_spreadsheet

    if path.suffix == ".csv":
        write_spreadsheet(path, frame)
        return
    with atomic_file(path) as stream:
        frame.write_parquet(stream)
