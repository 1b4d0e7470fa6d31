"""Figures: the same bytes, sound SVG, and nothing in the data breaks them."""

import xml.etree.ElementTree as ET

import polars as pl
import pytest

from bioscan_etl import schema, vocabulary
from bioscan_etl.statistics.figures import BASE_COLOURS, draw_figures
from bioscan_etl.statistics.titles import FIGURES

SVG = "{http://www.w3.org/2000/svg}"


def metadata(rows):
    return pl.DataFrame(
        [dict.fromkeys(schema.METADATA_EXTENDED.names()) | row for row in rows],
        schema=schema.METADATA_EXTENDED.schema(),
    )


FULL = metadata(
    {
        "processid": f"P{n:02}", "class": "Insecta", "order": ["Diptera", "$x^2$ <script>", "Ωmega"][n % 3],
        "taxon": "a & b", "species": f"s {n // 4}", "dna_barcode": "ACGTN" * 20,
        "split": vocabulary.SPLITS[n % 8], "coord-lat": n / 2,
        "coord-lon": -n * 1.0, "image_measurement_value": 100 * n, "area_fraction": n / 100, "scale_factor": n / 10,
    }
    for n in range(40)
)  # fmt: skip


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    return draw_figures(FULL, tmp_path_factory.mktemp("figures"))


def test_every_figure_is_sound_svg_that_describes_itself(drawn):
    assert [path.stem for path in drawn] == list(FIGURES)
    for path in drawn:
        root = ET.parse(path).getroot()
        assert root.tag == f"{SVG}svg"
        assert FIGURES[path.stem] in "".join(root.itertext())
        assert not root.findall(f".//{SVG}script")
        assert not root.findall(f".//{SVG}text")


def test_no_dates_and_the_same_bytes_again_even_with_a_users_style(drawn, tmp_path):
    import matplotlib

    with matplotlib.rc_context({"axes.facecolor": "pink", "font.size": 20}):
        again = draw_figures(FULL, tmp_path)
        assert matplotlib.rcParams["font.size"] == 20
    assert [path.read_bytes() for path in again] == [path.read_bytes() for path in drawn]
    assert not any(b"<dc:date>" in path.read_bytes() for path in drawn)


@pytest.mark.parametrize("frame", [metadata([]), metadata([{"processid": "A"}])], ids=["empty", "all null"])
def test_nothing_to_draw(frame, tmp_path):
    paths = draw_figures(frame, tmp_path)
    assert len(paths) == len(FIGURES)
    assert all(ET.parse(path).getroot().tag == f"{SVG}svg" for path in paths)


def test_a_strip_has_one_block_per_base_in_its_colour(tmp_path):
    draw_figures(metadata([{"processid": "A", "dna_barcode": "AATCGNR"}]), tmp_path)
    text = (tmp_path / "barcode_strip.svg").read_text()
    mesh = text[text.index('id="QuadMesh_1"') :]
    mesh = mesh[: mesh.index("</g>")]
    assert mesh.count("<path") == 7
    for base, blocks in {"A": 2, "T": 1, "C": 1, "G": 1, "N": 2}.items():
        assert mesh.count(f"fill: {BASE_COLOURS[base]}") == blocks
