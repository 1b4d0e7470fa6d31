"""What the desk reads of a corpus: the doubts of the last run, and the decisions as they are now.

Belongs here: finding and joining these tables, and keeping them until the next run. Does not belong here: the form in
which pages get them (`worklist`, `specimen`, `evidence`).
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from bioscan_etl import schema
from bioscan_etl.barcodes.identity import barcode_identity
from bioscan_etl.decisions.again import Reader
from bioscan_etl.decisions.read import Decisions, line_problem
from bioscan_etl.decisions.vocabulary import COLUMNS
from bioscan_etl.decisions.write import file_of
from bioscan_etl.desk.fresh import before, fresh
from bioscan_etl.doubts.reach import facts_of, named_barcodes, reach
from bioscan_etl.doubts.state import with_state
from bioscan_etl.errors import LakeError, SourceError
from bioscan_etl.io.paths import real_path
from bioscan_etl.io.tables import read_parquet, scan_parquet
from bioscan_etl.lake import decisions as files
from bioscan_etl.lake.corpus import read_settings
from bioscan_etl.lake.current import current, get
from bioscan_etl.lake.store import Lake, Output
from bioscan_etl.printable import printable
from bioscan_etl.settings import Settings
from bioscan_etl.vocabulary import RANKS

_SAMPLE: dict[str, str | None] = dict.fromkeys(COLUMNS) | {
    **{"processid": "A-1", "action": "keep", "reason": "checked", "date": "2026-01-01"},
}
OF_ROW = (
    *("country", "province_state", "coord-lat", "coord-lon", "dna_bin", "dna_barcode", "image_batch", "image_file"),
    *("image_status", "width_original", "height_original", "x0", "y0", "x1", "y1"),
)
"""Columns of `schema.SPECIMENS` that a row of the worklist shows."""
_NO_IDENTITY = "^N|N$|[^ACGTN]"
"""Pattern of the barcodes that are not their own identity."""


@dataclass(slots=True)
class Corpus:
    """A corpus as the desk sees it.

    Attributes:
        lake: the corpus.
        settings: its settings.
        curator: who decides.
        reader: keeps what it has read of the decisions.
    """

    lake: Lake
    settings: Settings
    curator: str
    reader: Reader = field(default_factory=Reader)
    _doubts: tuple[str, pl.DataFrame] | None = None
    _reached: tuple[str, pl.DataFrame] | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def output(self, stage: str) -> Output:
        """The output of a stage of the corpus that is shown: of the last run.

        Raises:
            LakeError: there is none yet.
        """
        return get(self.lake, stage)

    def before(self) -> Path | None:
        """The release that the doubts are compared with; None if there is none."""
        return before(self.lake)

    def title(self) -> str:
        """What the corpus is called."""
        return self.lake.root.name

    def version(self) -> str:
        """Identifies the run whose doubts are shown, and the release that they are compared with.

        Raises:
            LakeError: no run has listed doubts yet.
        """
        release = self.before()
        return self.output("doubts").fingerprint + (f"-{release.name}" if release else "")

    def doubts(self) -> pl.DataFrame:
        """The doubts as the pages list them.

        Returns:
            `schema.DOUBTS` with `shown`, the process ID of the specimen, or of the first one of a group;
            `label_delivered` and `label_made`, its labels; and `new`, such as `since v2`, null if the doubt is not new.

        Raises:
            LakeError: no run has listed doubts yet.
        """
        output = self.output("doubts")
        version = self.version()
        with self._lock:
            if self._doubts is None or self._doubts[0] != version:
                doubts = read_parquet(output.path("doubts.parquet"))
                self._doubts = (version, self._labelled(doubts).with_columns(self._new(doubts)))
            return self._doubts[1]

    def _new(self, doubts: pl.DataFrame) -> pl.Series:
        release = self.before()
        if release is None:
            return pl.Series("new", [None] * doubts.height, dtype=pl.String)
        said = pl.when(fresh(doubts, release)).then(pl.lit(f"since {release.name}"))
        return pl.select(new=said).to_series()

    def _labelled(self, doubts: pl.DataFrame) -> pl.DataFrame:
        shown = doubts.with_columns(shown=pl.coalesce("processid", pl.col("members").list.first()))
        wanted = shown.select(processid="shown").drop_nulls().unique().lazy()
        delivered = pl.coalesce(pl.col(f"{rank}_verbatim") for rank in reversed(RANKS))
        labels = (
            self.specimens()
            .join(wanted, on="processid", how="semi")
            .select("processid", "country", label_delivered=delivered)
            .join(self.curated().select("processid", label_made="taxon"), on="processid", how="left")
            .collect()
        )
        return shown.join(labels, left_on="shown", right_on="processid", how="left", maintain_order="left")

    def rows(self, processids: pl.Series) -> pl.DataFrame:
        """`processid` and `OF_ROW` of some specimens."""
        wanted = pl.LazyFrame({"processid": processids.drop_nulls().unique()})
        return self.specimens().select("processid", *OF_ROW).join(wanted, on="processid", how="semi").collect()

    def specimens(self) -> pl.LazyFrame:
        """`schema.SPECIMENS` of the last run."""
        return scan_parquet(self._path("specimens", "specimens.parquet"))

    def curated(self) -> pl.LazyFrame:
        """`schema.CURATED` of the last run."""
        return scan_parquet(self._path("curated_taxonomy", "curated.parquet"))

    def with_ids(self, processids: Sequence[str]) -> pl.LazyFrame:
        """The specimens that have one of some process IDs."""
        return self.specimens().filter(pl.col("processid").is_in(list(processids)))

    def labels_of(self, processids: Sequence[str]) -> pl.LazyFrame:
        """The rows of `curated` that have one of some process IDs."""
        return self.curated().filter(pl.col("processid").is_in(list(processids)))

    def with_barcode_of(self, processid: str) -> pl.LazyFrame | None:
        """The specimens that have the same barcode as one of them; None if there is no such specimen, or no barcode."""
        identity = barcode_identity(pl.col("dna_barcode"))
        own = self.with_ids([processid]).select(identity).collect()
        if own.is_empty() or own.item(0, 0) is None:
            return None
        return self.specimens().filter(identity == own.item(0, 0))

    def same_barcodes(self, processids: Sequence[str]) -> pl.DataFrame:
        """The specimens that have the same barcode as each of some specimens.

        Returns:
            `named`, one of the process IDs, and `processid` of each specimen with its barcode, itself included.
        """
        identity = barcode_identity(pl.col("dna_barcode"))
        named = self.with_ids(processids).select(named="processid", letters=identity).collect().drop_nulls("letters")
        letters = named["letters"].unique().implode()
        # Most barcodes are their own identity: making it of all of them takes three times as long as reading them.
        likely = pl.col("dna_barcode").is_in(letters) | pl.col("dna_barcode").str.contains(_NO_IDENTITY)
        return (
            self.specimens()
            .filter(likely)
            .select("processid", letters=identity)
            .join(named.lazy(), on="letters", how="inner")
            .select("named", "processid")
            .collect(engine="streaming")
        )

    def proposals(self) -> pl.DataFrame:
        """`schema.PROPOSALS` of the last run."""
        return read_parquet(self._path("proposals", "proposals.parquet"))

    def _path(self, stage: str, name: str) -> Path:
        return self.output(stage).path(name)

    def decisions(self) -> Decisions:
        """The decisions as they are now."""
        now = files.find(self.lake)
        return self.reader.read(now.texts, now.unreadable)

    def states(self, decisions: Decisions) -> pl.DataFrame:
        """The doubts, in their order, with their state now."""
        right = decisions.lines.filter(pl.col("problem").is_null())
        doubts = self.doubts().select(schema.DOUBTS.names())
        groups = right.filter(pl.col("processid").is_null())
        if groups.is_empty():
            return with_state(doubts, right)
        return with_state(doubts, right, reach(groups, self._facts(doubts, named_barcodes(groups))))

    def _facts(self, doubts: pl.DataFrame, named: pl.Series) -> pl.DataFrame:
        """`reach.facts_of` the specimens with a doubt and those that lines name, kept until the next run."""
        version = self.version()
        with self._lock:
            if self._reached is None or self._reached[0] != version:
                self._reached = (version, facts_of(self.specimens(), doubts["processid"]))
            facts = self._reached[1]
            # What is no specimen is looked for each time: such lines are few, and wrong.
            missing = named.filter(~named.is_in(facts["processid"].implode()))
            if len(missing):
                facts = pl.concat([facts, facts_of(self.specimens(), missing)])
                self._reached = (version, facts)
            return facts

    def file_name(self, curator: str) -> str:
        """Name of a curator's file."""
        return file_of(self.lake, curator).name

    def has_run(self) -> bool:
        """Whether a run has listed doubts."""
        try:
            return current(self.lake, "doubts") is not None
        except LakeError:
            return False


def open_corpus(output: Path, curator: str) -> Corpus:
    """A corpus for a curator.

    Raises:
        SourceError: there is no such folder, or the name has no letter or digit.
        SettingsError: the settings of the corpus cannot be used.
        LakeError: the lake has another layout.
    """
    root = real_path(output)
    if not root.is_dir():
        raise SourceError(f"there is no folder {root}; give the --output of bioscan-etl run")
    lake = Lake(root)
    lake.require_format()
    return Corpus(lake, read_settings(lake), curator_of(lake, curator))


def curator_of(lake: Lake, given: str) -> str:
    """The name of a curator without blanks around it.

    Raises:
        SourceError: it cannot be written into a decision, or has no letter or digit.
    """
    name = given.strip()
    problem = line_problem(_SAMPLE | {"curator": name or None})
    if problem:
        raise SourceError(f"the curator's name {printable(name)[:80]!r} cannot be written into a decision: {problem}")
    file_of(lake, name)
    return name
