"""Defects of places and dates, after the geography spec.

Belongs here: planting them, and the spellings that only look like defects.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bioscan_etl.demo.draft import Draft, Mask
from bioscan_etl.demo.geography import SITES, site_of

_COUNTRY, _PROVINCE, _ISO = "country/ocean", "province/state", "country_iso"
_START, _END = "collection_date_start", "collection_date_end"

# Sites whose point leaves the country when its sign or order changes, and does not enter it another way.
_SWAPPED = site_of("CA", "Ontario")
_SOUTHERN = site_of("AR")
_WESTERN = site_of("MX")


def plant_places(draft: Draft) -> None:
    """Plant every defect of a place, one record each."""
    sturdy = draft.role("seen") | draft.role("novel") | draft.role("dark")
    _plant_points(draft, sturdy)
    _plant_countries(draft, sturdy)
    _plant_dates(draft, sturdy)


def _move(draft: Draft, specimen: int, site: int) -> tuple[str, str]:
    """Put a specimen to another site; gives the latitude and longitude there, not yet written."""
    place = SITES[site]
    draft.edit(specimen, _COUNTRY, place.country)
    draft.edit(specimen, _PROVINCE, place.province)
    draft.edit(specimen, "region", place.region)
    draft.edit(specimen, "elev", f"{place.elevation}.0")
    draft.edit(specimen, _ISO, place.iso if draft.batch[specimen] else "None")
    return f"{place.latitude + 0.0123:.4f}", f"{place.longitude + 0.0117:.4f}"


def _negative(number: str) -> str:
    return number[1:] if number.startswith("-") else f"-{number}"


def _plant_points(draft: Draft, sturdy: Mask) -> None:
    # Kind: site to move to, and the two texts to write instead of its point.
    recipes: dict[str, tuple[int, Callable[[str, str], tuple[str, str]]]] = {
        "zero_coordinate": (_WESTERN, lambda lat, lon: ("0.0", "0.0")),
        "coordinate_out_of_range": (_WESTERN, lambda lat, lon: ("167.519", lon)),
        "coordinate_invalid": (_WESTERN, lambda lat, lon: ("16 45' N", "93 07' W")),
        "country_coordinate_mismatch": (site_of("KE"), lambda lat, lon: ("48.1634", "11.5003")),
        "presumed_swapped_coordinate": (_SWAPPED, lambda lat, lon: (lon, lat)),
        "presumed_negated_latitude": (_SOUTHERN, lambda lat, lon: (_negative(lat), lon)),
        "presumed_negated_longitude": (_WESTERN, lambda lat, lon: (lat, _negative(lon))),
        "coordinate_rounded": (_SOUTHERN, lambda lat, lon: ("-25.0", "-65.0")),
    }
    for kind, (site, change) in recipes.items():
        for specimen in draft.take(draft.rate, sturdy):
            latitude, longitude = _move(draft, specimen, site)
            coord = draft.coord(specimen, *change(latitude, longitude))
            fix = f"{latitude} {longitude}" if kind.startswith("presumed") else None
            draft.plant(kind, specimen, "coord", coord, fix)
    for kind, source in (
        ("country_centroid", "Coordinates from country centroid"),
        ("province_centroid", "Coordinates from province centroid"),
    ):
        for specimen in draft.take(draft.rate, sturdy):
            _move(draft, specimen, site_of("CA", "Alberta"))
            point = ("61.3621", "-98.3077") if kind == "country_centroid" else ("55.1682", "-114.5142")
            draft.edit(specimen, "coord", draft.coord(specimen, *point))
            draft.plant(kind, specimen, "coord_source", source)


def _plant_countries(draft: Draft, sturdy: Mask) -> None:
    with_code = sturdy & (draft.batch > 0)
    for specimen in draft.take(draft.rate, with_code):
        _, _ = _move(draft, specimen, site_of("NO", "Innlandet"))
        draft.edit(specimen, "coord", draft.coord(specimen, "61.1153", "10.4662"))
        draft.plant("country_mismatch", specimen, _COUNTRY, "Sweden", "Norway")
    for specimen in draft.take(draft.rate, sturdy & (draft.batch == 0)):
        draft.plant("country_invalid", specimen, _COUNTRY, "Freedonia")
    for kind, name in (
        ("country_unrecoverable", "Unrecoverable"),
        ("country_ocean", "Atlantic Ocean"),
        ("country_exception", "Exception - Culture"),
    ):
        for specimen in draft.take(draft.rate, sturdy):
            draft.edit(specimen, _ISO, "None")
            for column in (_PROVINCE, "region", "coord", "elev"):
                draft.edit(specimen, column, "None")
            if kind == "country_ocean":
                draft.edit(specimen, "coord", draft.coord(specimen, "31.2243", "-48.7713"))
            draft.plant(kind, specimen, _COUNTRY, name)
    for kind, iso, column, expected in (
        ("iso_norway", "NO", _ISO, "NO"),
        ("iso_namibia", "NA", _ISO, "NA"),
        ("province_nan", "TH", _PROVINCE, "Nan"),
        ("country_spelling", "CZ", _COUNTRY, "Czech Republic"),
    ):
        for specimen in draft.take(draft.rate, with_code):
            if iso == "CZ":
                _, _ = _move(draft, specimen, site_of("DE"))
                draft.edit(specimen, "coord", draft.coord(specimen, "49.2108", "16.6161"))
                for name, value in ((_ISO, "CZ"), (_PROVINCE, "South Moravia"), ("region", "Brno"), ("elev", "237.0")):
                    draft.edit(specimen, name, value)
                draft.plant(kind, specimen, column, expected, "Czechia")
                continue
            point = _move(draft, specimen, site_of(iso))
            draft.edit(specimen, "coord", draft.coord(specimen, *point))
            draft.note(kind, specimen, column, expected, expected)
    _plant_accent(draft, sturdy)


def _plant_accent(draft: Draft, sturdy: Mask) -> None:
    """Three records of one province: two in plain letters, one with its accent."""
    for _ in range(draft.rate):
        for position, specimen in enumerate(draft.take(3, sturdy)):
            draft.edit(specimen, _COUNTRY, "Mexico")
            draft.edit(specimen, _ISO, "MX" if draft.batch[specimen] else "None")
            draft.edit(specimen, "region", "Morelia")
            draft.edit(specimen, "coord", draft.coord(specimen, "19.7033", f"-101.19{position + 1}9"))
            written = "Michoac\u00e1n" if position == 0 else "Michoacan"
            draft.edit(specimen, _PROVINCE, written)
            draft.note("province_accented", specimen, _PROVINCE, written, "Michoacan")


def _plant_dates(draft: Draft, sturdy: Mask) -> None:
    for kind, date in (
        ("date_before_earliest", "0202-10-08"),
        ("date_in_future", "2118-07-14"),
        ("date_invalid", "2019-02-31"),
    ):
        for specimen in draft.take(draft.rate, sturdy):
            draft.plant(kind, specimen, _END, date)
            if kind != "date_invalid":
                draft.edit(specimen, _START, date)
    for specimen in draft.take(draft.rate, sturdy):
        draft.edit(specimen, _START, "2021-05-01")
        draft.plant("date_after_upload", specimen, _END, "2021-05-08")
        layout_date = "02-Feb-2020" if draft.batch[specimen] == 0 else "2020-02-02"
        draft.edit(specimen, "sequence_upload_date", layout_date)
    for specimen in draft.take(draft.rate, sturdy & (draft.batch > 0)):
        start = np.datetime64(draft.value(specimen, _END)) + 30
        draft.plant("date_start_after_end", specimen, _START, str(start))
    for specimen in draft.take(draft.rate, draft.alone & (draft.batch > 0)):
        draft.edit_barcode(specimen, draft.barcode(specimen)[:255], basecount=658)
        draft.edit(specimen, _START, "41062")
        draft.plant("date_spreadsheet_serial", specimen, _END, "41069", "2012-06-09")
        draft.note("basecount_mismatch", specimen, "nuc_basecount", "658", "255")
        draft.note("barcode_short", specimen, "nuc", None, draft.barcode(specimen)[:255])
