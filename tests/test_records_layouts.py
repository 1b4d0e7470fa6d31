import time

import pytest

from bioscan_etl.errors import SourceError
from bioscan_etl.records.layouts import ALIASES, GENERATIONS, REQUIRED, extend, recognise
from bioscan_etl.schema import BCDM, RECORDS
from bioscan_etl.vocabulary import RANKS

_V2023 = """
processid sampleid specimenid museumid fieldid inst bin_uri identification funding_src kingdom
phylum class order family subfamily genus species subspecies identified_by voucher_type collectors
collection_date collection_date_accuracy life_stage sex reproduction extrainfo notes coord
coord_source coord_accuracy elev depth elev_accuracy depth_accuracy country province country_iso
region sector site collection_time habitat collection_note associated_taxa associated_specimen
species_reference identification_method recordset_code_arr gb_acs marker_code nucraw
sequence_run_site processid_minted_date sequence_upload_date identification_rank
"""
V2023 = _V2023.split()
V2025 = [column.name for column in BCDM]
V2025.insert(0, "processid")
JUN_2024 = [name for name in V2025 if name not in ("sovereign_inst", "realm", "biome", "ecoregion")]
JUN_2024[11:11] = ["taxon_name", "taxon_rank"]
APR_2024 = [
    {"province/state": "province", "collection_date_end": "collection_date"}.get(name, name)
    for name in JUN_2024
    if name not in ("taxon_name", "taxon_rank", "collection_date_start")
]
# The API names 72 of these; which it leaves out does not matter to the recognition.
API = [{"country/ocean": "country.ocean", "province/state": "province.state"}.get(name, name) for name in V2025]
API = [name for name in API if name not in ("realm", "biome", "ecoregion", "sovereign_inst")]
_WORKING = """
processid sampleid nucraw uri country province/state coord-lat coord-lon image_measurement_value
image_file chunk_number phylum class order family subfamily genus species
"""
WORKING = _WORKING.split()
_COMBINED = """
processid sampleid recordID catalognum fieldnum institution_storing collection_code bin_uri
phylum_taxID phylum_name class_taxID class_name order_taxID order_name family_taxID family_name
subfamily_taxID subfamily_name genus_taxID genus_name species_taxID species_name subspecies_taxID
subspecies_name identification_provided_by identification_method identification_reference tax_note
voucher_status tissue_type collection_event_id collectors collectiondate_start collectiondate_end
collectiontime collection_note site_code sampling_protocol lifestage sex reproduction habitat
associated_specimens associated_taxa extrainfo notes lat lon coord_source coord_accuracy elev depth
elev_accuracy depth_accuracy country province_state region sector exactsite image_ids image_urls
media_descriptors captions copyright_holders copyright_years copyright_licenses
copyright_institutions photographers sequenceID markercode genbank_accession nucleotides trace_ids
trace_names trace_links run_dates sequencing_centers directions seq_primers marker_codes
"""
COMBINED = _COMBINED.split()


@pytest.mark.parametrize(
    ("header", "generation", "columns"),
    [
        (V2023, "BCDM 2023", 56),
        (JUN_2024, "BCDM Jun-2024", 74),
        (V2025, "BCDM 2025", 76),
        (APR_2024, "BCDM Apr-2024", 71),
        (WORKING, "BIOSCAN working table", 18),
        (COMBINED, "BOLD v3/v4 combined", 80),
        (API, "BCDM API 2026", 72),
    ],
)
def test_every_layout_is_recognised(header, generation, columns):
    assert len(header) == columns
    layout = recognise(header)
    assert layout.generation == generation
    assert {"processid", "nuc", "bin_uri", "country/ocean", "province/state", "coord", *RANKS} <= set(
        layout.mapping.values()
    )
    assert set(layout.mapping) | set(layout.extra) == set(header)
    assert not set(layout.mapping) & set(layout.extra)
    assert len(set(layout.targets)) == len(header)


def test_order_of_columns_does_not_matter():
    assert recognise(V2023[::-1]).mapping == recognise(V2023).mapping


def test_old_names_mean_the_new_columns():
    mapping = recognise(V2023).mapping
    assert mapping["collection_date"] == "collection_date_end"
    assert mapping["nucraw"] == "nuc"
    assert mapping["gb_acs"] == "insdc_acs"
    assert mapping["extrainfo"] == "short_note"
    assert recognise(V2023).extra == ("collection_date_accuracy",)
    assert "tribe" in recognise(V2023).absent
    assert recognise(V2025).absent == ("image_measurement_value", "index_bioscan_1M_insect")


def test_working_table_implies_its_marker_and_splits_its_coordinate():
    layout = recognise(WORKING)
    assert layout.implied == {"marker_code": "COI-5P"}
    assert layout.mapping["uri"] == "bin_uri"
    assert layout.mapping["coord-lat"] == layout.mapping["coord-lon"] == "coord"
    assert layout.split_coordinate
    assert layout.extra == ("image_file", "chunk_number")


def test_a_given_coord_wins_over_its_halves():
    layout = recognise([*V2025, "lat", "lon"])
    assert layout.extra == ("lat", "lon")
    assert not layout.split_coordinate


def test_unknown_layout_names_file_and_missing_columns():
    header = ["process id" if name == "processid" else name for name in V2025 if name != "nuc"]
    with pytest.raises(
        SourceError, match=r"odd\.tsv has an unknown layout.*processid, nuc \(or nucraw or nucleotides\)"
    ):
        recognise(header, "odd.tsv")


def test_marker_is_required_outside_the_working_table():
    with pytest.raises(SourceError, match="marker_code"):
        recognise([name for name in V2025 if name != "marker_code"])


def test_unknown_repeated_and_nameless_columns_are_kept():
    layout = recognise([*V2025, "mood", "mood", "", "nucraw", "genus"])
    assert layout.targets[-5:] == ("extra:mood", "extra:mood.2", "extra:column 79", "extra:nucraw", "extra:genus")
    assert layout.mapping["nuc"] == "nuc"


def test_provenance_columns_of_a_source_are_no_provenance_of_ours():
    layout = recognise([*V2025, "batch", "source_file", "snapshot_date"])
    assert layout.targets[-3:] == ("extra:batch", "extra:source_file", "extra:snapshot_date")


def test_aliases_lead_to_columns_of_the_schema():
    assert {target for _, target in ALIASES} <= set(RECORDS.names())
    assert len({source for source, _ in ALIASES}) == len(ALIASES)
    assert set(REQUIRED) <= set(RECORDS.names())
    assert len({kind.name for kind in GENERATIONS}) == len(GENERATIONS)


def test_late_columns_go_where_their_name_and_the_beginning_say():
    layout = recognise([*REQUIRED, "mood"])
    both = extend(layout, ["tribe", "country", "age", "lon"])
    assert both.header == (*layout.header, "age", "country", "lat", "lon", "tribe")
    assert both.targets[-5:] == ("extra:age", "country/ocean", "coord-lat", "coord-lon", "tribe")
    assert both.extra == ("mood", "age")
    assert {"tribe", "coord", "country/ocean"} <= set(layout.absent)
    assert not {"tribe", "coord", "country/ocean"} & set(both.absent)
    # A column that the first lines fill is not filled again.
    assert extend(recognise([*REQUIRED, "country"]), ["country/ocean"]).targets[-1] == "extra:country/ocean"


def test_ibols_phase_releases():
    columns = ["processid", "sampleid", "museumid", "fieldid", "bin_guid", "bin_name", "vouchertype", "inst_reg"]
    columns += [f"{rank}_reg" for rank in ("phylum", "class", "order", "family", "subfamily", "genus", "species")]
    columns += ["taxonomist_reg", "collectors", "collectiondate", "lifestage", "lat", "lon", "site", "sector", "region"]
    columns += ["province_reg", "country_reg", "fundingsrc", "seqentryid", "nucraw", "aminoraw", "accession"]
    layout = recognise(columns)
    assert layout.generation == "iBOL phase release"
    assert layout.implied == {"marker_code": "COI-5P"}
    assert layout.extra == ("bin_name", "seqentryid", "aminoraw")
    assert layout.mapping["country_reg"] == "country/ocean"
    assert layout.mapping["species_reg"] == "species"
    assert layout.split_coordinate


def test_a_table_of_specimens_lacks_sequences():
    specimens = recognise(["processid", "bin_uri", *(f"{rank}_name" for rank in RANKS), "lat", "lon"])
    assert specimens.lacks_sequences
    assert not recognise(REQUIRED).lacks_sequences
    with pytest.raises(SourceError, match="missing marker_code"):
        recognise([name for name in REQUIRED if name != "marker_code"])


def test_thousands_of_columns_of_one_name_take_no_longer_than_others():
    began = time.process_time()
    layout = recognise([*V2025, "x.2", *["x"] * 30_000])
    assert time.process_time() - began < 5  # it was a minute when each name was compared with all before
    assert layout.targets[-3:] == ("extra:x.29999", "extra:x.30000", "extra:x.30001")
    assert layout.targets[len(V2025) : len(V2025) + 3] == ("extra:x.2", "extra:x", "extra:x.3")
    assert len(set(layout.targets)) == len(layout.targets)
