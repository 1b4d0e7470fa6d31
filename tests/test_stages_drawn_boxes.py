"""Boxes that curators draw: each is measured on its own image, and a box that cannot be is left out with its reason."""

import io

import polars as pl
import pytest
from decided import decisions
from images_drawn import insect, well
from PIL import Image

from bioscan_etl import landing
from bioscan_etl.images.index import index_images
from bioscan_etl.images.measure import area_fraction, scale_factor
from bioscan_etl.lake import Lake
from bioscan_etl.settings import Settings
from bioscan_etl.stages.drawn_boxes import build
from bioscan_etl.stages.registry import ON_BOXES
from bioscan_etl.stages.work import Work
from bioscan_etl.vocabulary import MADE_PACKAGES

BOX = "100 80 220 170"
SETTINGS = Settings.model_validate({"images": {"detector": "segmentation"}})


class Corpus:
    """Two batches: A-1, A-2 and a file that is no image in `one`, A-1 with another picture and B-1 in `two`."""

    def __init__(self, root):
        self.lake, self.index = Lake(root / "out"), {}
        (root / "records.tsv").write_text("processid\nA-1\n")
        for batch, names in (("one", ("A-1", "A-2", "A-3")), ("two", ("A-1", "B-1"))):
            folder = root / batch
            folder.mkdir()
            for number, name in enumerate(names):
                picture = well(320, 240)
                insect(picture, (150 + 10 * number, 120 + 10 * len(names)), 60)
                Image.fromarray(picture).save(folder / f"{name}.jpg", quality=75)
            if batch == "one":
                (folder / "A-3.jpg").write_bytes(b"no image")
            landing.register(self.lake, batch, [str(root / "records.tsv")], [str(folder)])
            found = index_images([str(folder)], None, None, batch, SETTINGS.images)
            with self.lake.writing("specimen_images", "1" * 64, batch, made_from={}) as draft:
                found.write_parquet(draft.folder / "image_index.parquet")
            self.index[batch] = self.lake.find("specimen_images", "1" * 64, batch)

    def sha(self, batch, processid):
        frame = pl.read_parquet(self.index[batch].path("image_index.parquet"))
        return frame.filter(processid=processid)["sha256"].item()

    def draw(self, *rows):
        """Run the stage on these lines; the boxes, the effects by process ID, and the crops by package and specimen."""
        lines = decisions(*({"action": "box", "value": BOX} | row for row in rows))
        with self.lake.writing("decisions", "2" * 64, made_from={}) as draft:
            lines.write_parquet(draft.folder / ON_BOXES)
        outputs = {"decisions": self.lake.find("decisions", "2" * 64)}
        with self.lake.writing("drawn_boxes", "3" * 64, made_from={}) as draft:
            by_batch = {"specimen_images": self.index}
            build(Work(self.lake, SETTINGS, lambda *_: None, draft, None, None, outputs, by_batch, {}, None))
        made = self.lake.find("drawn_boxes", "3" * 64)
        effects = pl.read_parquet(made.path("decision_effects.parquet")).join(
            lines.select("id", "processid"), on="id", validate="1:1"
        )
        crops = {
            (path.parts[-3], path.name.rsplit("-", 1)[0], name): data
            for path in sorted(made.path("boxes.parquet").parent.glob("*/crops/*.parquet"))
            for name, data in pl.read_parquet(path).iter_rows()
        }
        said = {row["processid"]: (row["status"], row["specimens"], row["detail"]) for row in effects.to_dicts()}
        return pl.read_parquet(made.path("boxes.parquet")), said, crops


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return Corpus(tmp_path_factory.mktemp("drawn"))


def test_a_drawn_box_measures_and_crops_its_image_alone(corpus):
    boxes, said, crops = corpus.draw({"processid": "A-2"})
    (row,) = boxes.to_dicts()
    edges = (100, 80, 220, 170)
    assert (row["batch"], row["processid"], row["detector"]) == ("one", "A-2", "curator")
    assert tuple(row[name] for name in ("x0", "y0", "x1", "y1")) == edges
    assert row["area_fraction"] == area_fraction(edges, 320, 240)
    assert row["scale_factor"] == scale_factor(edges)
    assert row["status"] == "detected"
    assert said == {"A-2": ("applied", 1, None)}
    assert set(crops) == {("one", package, "A-2") for package in MADE_PACKAGES}
    small = Image.open(io.BytesIO(crops["one", "cropped_256", "A-2"]))
    assert min(small.size) == SETTINGS.images.short_side


def test_another_box_gives_another_crop_and_the_same_box_the_same_bytes(corpus):
    first = corpus.draw({"processid": "A-2"})
    other = corpus.draw({"processid": "A-2", "value": "90 80 220 170"})
    again = corpus.draw({"processid": "A-2"})
    assert first[2] == again[2]
    assert first[0].equals(again[0])
    key = ("one", "cropped", "A-2")
    assert first[2][key] != other[2][key]


def test_a_box_beyond_its_image_is_left_out_and_says_how_large_the_image_is(corpus):
    boxes, said, _ = corpus.draw({"processid": "A-2", "value": "100 80 321 170"}, {"processid": "B-1"})
    assert boxes["processid"].to_list() == ["B-1"]
    assert said["A-2"] == ("left_out", 0, "the box is beyond the image, which has 320 x 240 px")
    assert said["B-1"][0] == "applied"


def test_a_box_of_another_picture_is_left_out(corpus):
    boxes, said, crops = corpus.draw(
        {"processid": "A-2", "evidence": "0" * 16},
        {"processid": "B-1", "evidence": corpus.sha("two", "B-1")[:16]},
    )
    assert boxes["processid"].to_list() == ["B-1"]
    assert said["A-2"] == ("left_out", 0, "its image is another one than the curator saw; draw the box again")
    assert said["B-1"] == ("applied", 1, None)
    assert {name for _, _, name in crops} == {"B-1"}


def test_of_two_pictures_of_a_specimen_the_one_that_was_seen_has_the_box(corpus):
    assert corpus.sha("one", "A-1") != corpus.sha("two", "A-1")
    boxes, said, _ = corpus.draw({"processid": "A-1", "evidence": corpus.sha("two", "A-1")[:16]})
    assert boxes.select("batch", "processid").rows() == [("two", "A-1")]
    assert said == {"A-1": ("applied", 1, None)}
    # Without evidence the box is of every picture: which one is released, the specimens say.
    assert corpus.draw({"processid": "A-1"})[0].select("batch", "processid").rows() == [("one", "A-1"), ("two", "A-1")]


def test_an_image_that_cannot_be_read_and_one_that_is_not_there_say_so(corpus):
    boxes, said, _ = corpus.draw({"processid": "A-3"}, {"processid": "Z-9"})
    assert boxes.is_empty()
    assert said["A-3"] == ("left_out", 0, "its image cannot be read")
    assert said["Z-9"] == ("unknown", 0, "no batch has an image of this process ID")


def test_no_lines_are_no_boxes(corpus):
    boxes, said, crops = corpus.draw()
    assert (boxes.height, said, crops) == (0, {}, {})
