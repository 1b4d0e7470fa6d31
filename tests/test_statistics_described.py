"""The statistics of a table of one's own, and of a release."""

from dataclasses import replace

import drawn_release
import polars as pl
import pytest

from bioscan_etl import api
from bioscan_etl.errors import SourceError
from bioscan_etl.images import decode, detect
from bioscan_etl.settings import Settings
from bioscan_etl.statistics.definitions import TABLES
from bioscan_etl.statistics.described import describe


@pytest.fixture(scope="module")
def rows():
    return drawn_release.rows(30)


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_file_is_counted_as_the_frame_is(rows, tmp_path, ending):
    path = tmp_path / f"table.{ending}"
    plain = rows.select(name for name, dtype in rows.schema.items() if not isinstance(dtype, pl.List))
    plain.write_csv(path) if ending == "csv" else plain.write_parquet(path)
    found, expected = describe(path, Settings()), describe(rows, Settings())
    assert list(found.tables) == [table.name for table in TABLES]
    for table in TABLES:
        table.check(found.tables[table.name])
        assert found.tables[table.name].equals(expected.tables[table.name]), table.name
    assert not found.is_stored


def test_columns_may_be_missing(tmp_path):
    found = describe(pl.DataFrame({"processid": ["A", "B"], "country": ["NO", "NA"]}), Settings())
    row = found.tables["attributes"].row(by_predicate=pl.col("attribute") == "country", named=True)
    assert (row["categories"], row["labelled"], row["most_populated"]) == (2, 2, "NA")
    assert found.tables["distances"].is_empty()


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"species": ["A"]}, "has no column processid"),
        ({"processid": ["A", "A"]}, "names a process ID twice"),
        ({"processid": ["A", None]}, "or a row without one"),
        ({"processid": ["A"], "coord-lat": ["north"]}, "has a value that its column cannot hold"),
    ],
)
def test_a_table_that_cannot_be_used(columns, message):
    with pytest.raises(SourceError, match=message):
        describe(pl.DataFrame(columns), Settings())


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(SourceError, match=r"nothing\.csv cannot be read"):
        describe(tmp_path / "nothing.csv", Settings())
    with pytest.raises(SourceError, match="there is no release"):
        describe(tmp_path / "nothing", Settings())


class _ImageReadError(Exception):
    pass


@pytest.fixture
def unreadable(rows, tmp_path, monkeypatch):
    """A release with packages of images, of which neither the images nor the detector may be read."""
    settings = Settings()
    for path in ("original_256/train/P000.jpg", "cropped_256/train/P000.jpg"):
        image = tmp_path / "bioscan5m/images" / path
        image.parent.mkdir(parents=True)
        image.write_bytes(b"no image")

    def forbidden(*given, **named):
        raise _ImageReadError

    monkeypatch.setattr(decode, "decode", forbidden)
    monkeypatch.setattr(detect, "load_detector", forbidden)
    described = replace(describe(rows, settings), root=tmp_path, pictured=settings)
    monkeypatch.setattr(api, "describe", lambda *given, **named: described)
    return tmp_path


def test_a_figure_without_images_reads_none(unreadable):
    drawn = api.draw_figures("v1", unreadable / "drawn", only=["site_map", "missing_fields"])
    assert [path.name for path in drawn] == ["site_map.svg", "missing_fields.svg"]
    for only in (["site_map", "specimen_sheet"], None):
        with pytest.raises(_ImageReadError):
            api.draw_figures("v1", unreadable / "drawn", only=only)
