"""Finding a release and its tables."""

import polars as pl
import pytest
from release_corpus import GROWN, corpus

from bioscan_etl.errors import SourceError
from bioscan_etl.release.scan import find_release, scan_release
from bioscan_etl.settings import ReleaseSettings, Settings

SMALL = ReleaseSettings(image_packages=("cropped_256",), hdf5_packages=(), forms=())


@pytest.fixture(scope="module")
def releases(tmp_path_factory):
    made = corpus(tmp_path_factory.mktemp("corpus"))
    folder = tmp_path_factory.mktemp("releases")
    for digest in ("1", "2"):
        made.build(folder, Settings(release=SMALL, splits=GROWN), digest=digest * 64)
    return folder


def test_versions_are_found_where_the_user_says(releases, tmp_path):
    assert find_release(str(releases / "latest")) == releases / "v2"
    assert find_release("v1", releases) == releases / "v1"
    (tmp_path / "releases").symlink_to(releases)
    assert find_release("latest", tmp_path) == releases / "v2"
    with pytest.raises(SourceError, match="has no release v7; it has v1, v2"):
        find_release("v7", releases)
    with pytest.raises(SourceError, match="there is no folder v1"):
        find_release("v1")
    with pytest.raises(SourceError, match="there is no release"):
        find_release(str(tmp_path / "none"))


def test_rows_are_read_from_parquet_and_from_the_csv_alike(releases, tmp_path):
    tables = scan_release(releases / "v1")
    columns = ["processid", "split", "species", "coord-lat", "inferred_ranks", "chunk"]
    parquet = tables.rows.select(columns).collect()
    copy = tmp_path / "v1"
    for name in ("manifest.json", "bioscan5m/metadata/csv/BIOSCAN_5M_Insect_Dataset_metadata.csv"):
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        (copy / name).write_bytes((releases / "v1" / name).read_bytes())
    csv = scan_release(copy).rows.select(columns).collect()
    assert csv.with_columns(pl.col("chunk").fill_null("")).equals(parquet)


def test_images_and_logs_are_those_of_the_release(releases):
    tables = scan_release(releases / "v1")
    images = tables.images().collect()
    assert images["package"].unique().to_list() == ["cropped_256"]
    assert set(images["processid"]) == set(tables.rows.collect()["processid"])
    assert tables.changes().collect().rows() == [("DEMO008-24", "species", 0, "AEDES VEXANS", "NAME_CASE")]
    assert tables.protocol == "stable"
