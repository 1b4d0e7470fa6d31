"""The column layouts in which the synthetic records are written: facts about BOLD's packages.

Belongs here: header names in their order, the BCDM column behind each, and how a layout writes nulls,
coordinates and dates. Does not belong here: reading any of it (`bioscan_etl.records`).
"""

from __future__ import annotations

from dataclasses import dataclass

_HEADER_2023 = (
    "processid sampleid specimenid museumid fieldid inst bin_uri identification funding_src kingdom phylum class "
    "order family subfamily genus species subspecies identified_by voucher_type collectors collection_date "
    "collection_date_accuracy life_stage sex reproduction extrainfo notes coord coord_source coord_accuracy elev "
    "depth elev_accuracy depth_accuracy country province country_iso region sector site collection_time habitat "
    "collection_note associated_taxa associated_specimen species_reference identification_method recordset_code_arr "
    "gb_acs marker_code nucraw sequence_run_site processid_minted_date sequence_upload_date identification_rank"
)
_HEADER_2024 = (
    "processid sampleid fieldid museumid record_id specimenid processid_minted_date bin_uri bin_created_date "
    "collection_code inst taxid taxon_name taxon_rank kingdom phylum class order family subfamily tribe genus species "
    "subspecies species_reference identification identification_method identification_rank identified_by "
    "identifier_email taxonomy_notes sex reproduction life_stage short_note notes voucher_type tissue_type "
    "specimen_linkout associated_specimens associated_taxa collectors collection_date_start collection_date_end "
    "collection_event_id collection_time collection_notes geoid country/ocean country_iso province/state region "
    "sector site site_code coord coord_accuracy coord_source elev elev_accuracy depth depth_accuracy habitat "
    "sampling_protocol nuc nuc_basecount insdc_acs funding_src marker_code primers_forward primers_reverse "
    "sequence_run_site sequence_upload_date bold_recordset_code_arr"
)
_HEADER_2025 = _HEADER_2024.replace("inst taxid taxon_name taxon_rank", "inst sovereign_inst taxid").replace(
    "habitat sampling_protocol", "habitat realm biome ecoregion sampling_protocol"
)
_BCDM_OF_2023 = {
    "nucraw": "nuc",
    "gb_acs": "insdc_acs",
    "country": "country/ocean",
    "province": "province/state",
    "collection_date": "collection_date_end",
    "extrainfo": "short_note",
    "collection_note": "collection_notes",
    "associated_specimen": "associated_specimens",
    "recordset_code_arr": "bold_recordset_code_arr",
}
_BCDM_OF_2024 = {"taxon_name": "identification", "taxon_rank": "identification_rank"}
_BLANK_SINCE_2024 = {
    "sovereign_inst",
    "identifier_email",
    "primers_forward",
    "primers_reverse",
    "sector",
    "coord_source",
    "insdc_acs",
}


@dataclass(frozen=True, slots=True)
class Layout:
    """One generation of BOLD's packages.

    Attributes:
        header: column names in order.
        bcdm: BCDM 2025 name of the columns that are called otherwise.
        coord: format of a coordinate pair, with `{lat}` and `{lon}`.
        package_dates: strftime format of the dates that BOLD itself makes.
        blank_columns: columns whose nulls are empty, where the rest says `None`.
        aligned: whether nucleotides are BOLD's aligned form, with gaps.
    """

    header: tuple[str, ...]
    bcdm: dict[str, str]
    coord: str
    package_dates: str
    blank_columns: frozenset[str]
    aligned: bool

    def source(self, column: str) -> str:
        """The BCDM column that a column of this layout shows."""
        return self.bcdm.get(column, column)


LAYOUT_2023 = Layout(tuple(_HEADER_2023.split()), _BCDM_OF_2023, "({lat},{lon})", "%d-%b-%Y", frozenset(), False)
LAYOUT_2024 = Layout(
    tuple(_HEADER_2024.split()), _BCDM_OF_2024, "[{lat}, {lon}]", "%Y-%m-%d", frozenset(_BLANK_SINCE_2024), True
)
LAYOUT_2025 = Layout(tuple(_HEADER_2025.split()), {}, "[{lat}, {lon}]", "%Y-%m-%d", frozenset(_BLANK_SINCE_2024), True)
