"""Places of the synthetic corpus: field sites whose points lie well inside their countries.

Belongs here: the table of sites, in BOLD's spellings of countries, and points around a site. Does not belong
here: what is wrong with a place (`bioscan_etl.demo.place_defects`).

The sites are towns and research stations of public knowledge, at least 25 km from a centroid of their country.
Norway's code NO, Namibia's NA and Thailand's province Nan are here because readers mistake them for values
of another kind.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

SPREAD = 0.04
"""Greatest distance of traps from their site, in degrees of latitude and of longitude."""


@dataclass(frozen=True, slots=True)
class Site:
    """A field site: BOLD's country, ISO code, province, region, latitude and longitude in degrees, elevation in m."""

    country: str
    iso: str
    province: str
    region: str
    latitude: float
    longitude: float
    elevation: int


SITES = (
    Site("Canada", "CA", "Ontario", "Guelph", 43.5335, -80.2262, 334),
    Site("Canada", "CA", "Alberta", "Edmonton", 53.5232, -113.5263, 671),
    Site("Costa Rica", "CR", "Guanacaste", "Santa Rosa", 10.8376, -85.6187, 290),
    Site("Costa Rica", "CR", "Heredia", "La Selva", 10.4306, -84.0073, 60),
    Site("United States", "US", "Colorado", "Boulder", 40.0176, -105.2797, 1655),
    Site("Australia", "AU", "Queensland", "Atherton", -17.2661, 145.4859, 752),
    Site("South Africa", "ZA", "Mpumalanga", "Skukuza", -24.9947, 31.5969, 270),
    Site("Germany", "DE", "Bavaria", "Munich", 48.1634, 11.5003, 519),
    Site("Norway", "NO", "Innlandet", "Lillehammer", 61.1153, 10.4662, 180),
    Site("Norway", "NO", "Trondelag", "Trondheim", 63.3603, 10.4251, 150),
    Site("Namibia", "NA", "Khomas", "Windhoek", -22.5708, 17.0836, 1655),
    Site("Thailand", "TH", "Nan", "Pua", 19.1782, 100.9133, 245),
    Site("Thailand", "TH", "Chiang Mai", "Doi Suthep", 18.8068, 98.9218, 1050),
    Site("Argentina", "AR", "Salta", "Salta", -24.7821, -65.4232, 1152),
    Site("Brazil", "BR", "Amazonas", "Manaus", -2.9312, -59.9719, 92),
    Site("Peru", "PE", "Madre de Dios", "Tambopata", -12.8367, -69.2936, 200),
    Site("Kenya", "KE", "Laikipia", "Mpala", 0.2927, 36.8986, 1650),
    Site("Madagascar", "MG", "Fianarantsoa", "Ranomafana", -21.2569, 47.4217, 950),
    Site("India", "IN", "Karnataka", "Bangalore", 13.0215, 77.5691, 920),
    Site("China", "CN", "Yunnan", "Kunming", 25.1387, 102.7409, 1990),
    Site("Japan", "JP", "Nagano", "Matsumoto", 36.2381, 137.9722, 592),
    Site("Pakistan", "PK", "Punjab", "Faisalabad", 31.4181, 73.0791, 184),
    Site("Iran", "IR", "Fars", "Shiraz", 29.6103, 52.5311, 1500),
    Site("Russia", "RU", "Novosibirsk Oblast", "Akademgorodok", 54.8476, 83.1066, 160),
    Site("Laos", "LA", "Luang Prabang", "Luang Prabang", 19.8867, 102.1353, 305),
    Site("Mexico", "MX", "Chiapas", "Tuxtla Gutierrez", 16.7519, -93.1167, 522),
    Site("Bolivia", "BO", "Cochabamba", "Cochabamba", -17.3895, -66.1568, 2558),
    Site("Tanzania", "TZ", "Morogoro", "Morogoro", -6.8278, 37.6591, 526),
)


def site_of(iso: str, province: str | None = None) -> int:
    """Position in `SITES` of the first site with that code (and province)."""
    return next(i for i, s in enumerate(SITES) if s.iso == iso and province in (None, s.province))


def points_around(
    rng: np.random.Generator, sites: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Trap positions in degrees, one per entry of `sites`, in 1e-4 degrees and never round.

    A site has few traps, and many specimens come from one trap, so points are drawn from 6 per site.
    """
    traps = rng.integers(-int(SPREAD * 1e3), int(SPREAD * 1e3), (len(SITES), 6, 2)) * 10 + 3
    chosen = traps[sites, rng.integers(0, 6, len(sites))]
    base = np.array([(site.latitude, site.longitude) for site in SITES])[sites]
    # The last decimal stays between 1 and 9: a point that ends in zeros would look rounded.
    scaled = np.round(base * 1e4).astype(np.int64) + chosen
    scaled += np.where(scaled % 10 == 0, 1, 0)
    return scaled[:, 0] / 1e4, scaled[:, 1] / 1e4
