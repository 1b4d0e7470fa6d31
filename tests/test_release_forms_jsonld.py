"""JSON-LD: a JSON array of rows that linked-data readers understand."""

import json

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from release_corpus import corpus, filled

from bioscan_etl import schema
from bioscan_etl.release.forms.jsonld import context, write_jsonld
from bioscan_etl.release.metadata import metadata


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    made = corpus(tmp_path_factory.mktemp("jsonld"))
    return metadata(made.curated, made.partitions)[0].select(schema.METADATA.names())


@pytest.mark.parametrize("piece", [1, 5, 100])
def test_it_is_an_array_of_rows_in_any_pieces(rows, tmp_path, piece):
    path = tmp_path / "a" / "x.jsonld"
    write_jsonld(rows.iter_slices(piece), path)
    nodes = json.loads(path.read_text())
    assert [dict(list(node.items())[1:]) for node in nodes] == rows.to_dicts()
    assert {node["@context"] for node in nodes} == {"context.jsonld"}
    assert len(path.read_text().splitlines()) == rows.height + 2
    other = tmp_path / "b" / "x.jsonld"
    write_jsonld([rows], other)
    assert other.read_bytes() == path.read_bytes()


def test_no_rows_are_an_empty_array(rows, tmp_path):
    write_jsonld([rows.head(0)], tmp_path / "x.jsonld")
    assert json.loads((tmp_path / "x.jsonld").read_text()) == []


@given(st.lists(st.text(st.characters(blacklist_categories=["Cs"])), min_size=1, max_size=5))
def test_any_text_comes_back(tmp_path_factory, values):
    path = tmp_path_factory.mktemp("text") / "x.jsonld"
    frame = filled(schema.METADATA, [{"processid": f"A{n}", "sampleid": text} for n, text in enumerate(values)])
    write_jsonld([frame], path)
    assert [node["sampleid"] for node in json.loads(path.read_text())] == values


def test_no_text_ends_the_script_of_a_web_page(tmp_path):
    frame = filled(schema.METADATA, [{"processid": "A", "sampleid": "</script><!-- & \u2028"}])
    write_jsonld([frame], tmp_path / "x.jsonld")
    written = (tmp_path / "x.jsonld").read_text()
    assert not set("<>&\u2028") & set(written)
    assert json.loads(written)[0]["sampleid"] == "</script><!-- & \u2028"


def test_the_context_gives_every_column_a_meaning():
    terms = context()["@context"]
    assert set(schema.METADATA.names()) <= set(terms)
    assert terms["genus"] == "dwc:genus"
    assert terms["processid"] == "@id"


@pytest.mark.clients
def test_a_linked_data_reader_finds_the_terms(rows, tmp_path):
    rdflib = pytest.importorskip("rdflib", reason="needs .venv-clients: rdflib is not installed")
    write_jsonld([rows], tmp_path / "x.jsonld")
    graph = rdflib.Graph().parse(tmp_path / "x.jsonld", format="json-ld")
    genus = rdflib.URIRef("http://rs.tdwg.org/dwc/terms/genus")
    found = {(str(subject).rsplit("/", 1)[-1], str(value)) for subject, _, value in graph.triples((None, genus, None))}
    assert found == set(rows.filter(pl.col("genus").is_not_null()).select("processid", "genus").rows())
    barcodes = list(graph.objects(None, rdflib.URIRef("urn:bioscan:dna_barcode")))
    assert len(barcodes) == rows["dna_barcode"].n_unique()
