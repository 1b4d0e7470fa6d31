"""The boxes, separated by commas and by tabs."""

import polars as pl
from polars.testing import assert_frame_equal
from release_corpus import corpus

from bioscan_etl import schema
from bioscan_etl.release.forms import bbox
from bioscan_etl.settings import ReleaseSettings


def test_bbox_has_commas_under_its_name_and_tabs_beside(tmp_path):
    curated = corpus(tmp_path).curated
    boxes = curated.select(schema.BBOX.names())
    bbox.write_bbox(curated, curated, tmp_path, ReleaseSettings(title="T"))
    assert_frame_equal(pl.read_csv(tmp_path / "T_bbox.tsv", schema=schema.BBOX.schema()), boxes)
    assert_frame_equal(pl.read_csv(tmp_path / "T_bbox.tab.tsv", separator="\t", schema=schema.BBOX.schema()), boxes)
    first = (tmp_path / "T_bbox.tsv").read_text().splitlines()[0]
    assert first == "processid,width_original,height_original,x0,y0,x1,y1,scale_factor,area_fraction"


def test_a_specimen_without_a_box_has_no_row(tmp_path):
    curated = corpus(tmp_path, x0=[None]).curated
    bbox.write_bbox(curated, curated, tmp_path, ReleaseSettings(title="T"))
    assert pl.read_csv(tmp_path / "T_bbox.tsv")["processid"].to_list() == curated["processid"].to_list()[1:]
