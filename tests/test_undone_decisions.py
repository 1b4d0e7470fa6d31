"""Taking decisions away undoes them to the byte: the next release is the one before them but for its version."""

import io
import json
import re
import shutil
from pathlib import Path

import polars as pl
import pytest
from PIL import Image

from bioscan_etl.cli import main
from bioscan_etl.lake import Lake
from bioscan_etl.lake.current import get
from bioscan_etl.lake.decisions import folder
from bioscan_etl.vocabulary import SPLITS

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]  # three runs of a corpus on a machine that may be busy

# What states its version, with the sums and descriptors of these files, and what compares it with earlier releases.
STATES_ITS_VERSION = {
    *("README.md", "changelog.md", "croissant.json", "datapackage.json", "manifest.json", "md5sums.txt"),
    "report/index.html",
}
# The desk's pages and a list of the report compare with earlier releases: what changed, and which doubts are new.
COMPARES = re.compile(
    r"report/desk/(data/(front|trends|words)|(batches/[0-9a-f]{12}/)?data/doubts)\.js|report/statistics_changes\.csv"
)

# The classes keep the labels that only the release between had, so that no index is given to another label.
REMEMBERS = re.compile(r"labels/\w+\.csv")


@pytest.fixture(scope="module")
def undone(decided, tmp_path_factory):
    """The corpus after its decisions were taken away, and a run that made v3."""
    output = tmp_path_factory.mktemp("undone") / "out"
    shutil.copytree(decided[0], output, symlinks=True)
    shutil.rmtree(folder(Lake(output)))
    assert main(["run", "--output", str(output), "--quiet"]) == 0
    return output


def files(release: Path) -> dict[str, bytes]:
    return {
        path.relative_to(release).as_posix(): path.read_bytes() for path in sorted(release.rglob("*")) if path.is_file()
    }


def differing(one: dict[str, bytes], other: dict[str, bytes]) -> set[str]:
    return {name for name in {*one, *other} if one.get(name) != other.get(name)}


def states_version(name: str) -> bool:
    return name in STATES_ITS_VERSION or is_figure(name) or bool(COMPARES.fullmatch(name) or REMEMBERS.fullmatch(name))


def is_figure(name: str) -> bool:
    """Figures and their page: the captions, which are in the files too, name the release."""
    return name.startswith("figures/")


def listed_doubts(script: bytes) -> dict[str, object]:
    """The doubts of a page, without the version and what is new in it."""
    _, text = script.decode().split(", '", 1)
    found = json.loads(text.rsplit("'", 1)[0].replace("\\'", "'").replace("\\\\", "\\"))
    del found["version"], found["columns"]["new"]
    return found


def without_version(name: str, data: bytes, version: int) -> object:
    """The content of a file that states its version, without that."""
    if name.endswith(".png"):
        with Image.open(io.BytesIO(data)) as image:
            described = re.sub(rf"\bv{version}\b", "vN", str(sorted(image.info.items())))
            return image.size, image.mode, image.tobytes(), described
    text = data.decode()
    if name == "manifest.json":
        stated = json.loads(text)
        assert stated.pop("version") == f"v{version}"
        stated["files"] = [
            {key: value for key, value in file.items() if key == "path" or not states_version(file["path"])}
            for file in stated["files"]
        ]
        return stated
    if name in {"croissant.json", "datapackage.json"}:
        return _without_sums(json.loads(re.sub(rf"\bv{version}\b", "vN", text.replace(f'"{version}.0.0"', '"N.0.0"'))))
    if name == "md5sums.txt":
        return [line for line in text.splitlines() if not states_version(line.split("  ", 1)[1])]
    if name == "report/index.html":
        text, cuts = re.subn(r"<h3>History</h3>.*?</section>", "", text, flags=re.DOTALL)
        assert cuts == 1
        # What changed in the statistics: the list that the page links to, and the table.
        text, cuts = re.subn(r'<a href="statistics_changes\.csv">.*?\)', "", text)
        assert cuts == 1
        table = r'<div class="scroll"[^>]*aria-label="What changed since the last release".*?</div>'
        text = re.sub(
            table + r"(\s*<p class=\"quiet\">[\d,]+ more rows are not shown here\.</p>)?", "", text, flags=re.DOTALL
        )
        # The figures, which are compared as files.
        text, cuts = re.subn(r"data:image/svg\+xml;base64,[\w+/=]+", "", text)
        assert cuts > 10
        text = re.sub(r"<h3>Doubts over the releases</h3>.*?</table>\s*</div>", "", text, flags=re.DOTALL)
        text = re.sub(r"\s+", " ", text)
    assert f"v{version}" in text
    return re.sub(rf"\bv{version}\b", "vN", text).replace(f'"{version}.0.0"', '"N.0.0"')


def _without_sums(described: dict[str, list[dict[str, object]]]) -> object:
    """A descriptor without the sizes and sums of the figures and labels."""
    for entry in described.get("distribution", described.get("resources", [])):
        name = str(entry.get("contentUrl", entry.get("path")))
        if is_figure(name) or REMEMBERS.fullmatch(name):
            for key in ("sha256", "contentSize", "hash", "bytes"):
                entry.pop(key, None)
    return described


def test_decisions_of_every_action_change_the_release(decided):
    before, after = (files(decided[0] / "releases" / name) for name in ("v1", "v2"))
    changed = {name.split("/")[0] for name in differing(before, after)}
    assert changed >= {"data", "bioscan5m", "changes.parquet", "quarantine.parquet", "decisions.parquet", "report"}
    log = pl.read_parquet(decided[0] / "releases" / "v2" / "decisions.parquet")
    assert log.filter(pl.col("action") != "keep")["status"].unique().to_list() == ["applied"]
    assert log.height == len(decided[1])


def test_taking_all_away_gives_the_release_before_them_to_the_byte(undone):
    before, after = (files(undone / "releases" / name) for name in ("v1", "v3"))
    assert set(before) == set(after)
    differs = differing(before, after)
    remembered = {name for name in differs if REMEMBERS.fullmatch(name)}
    stated = {name for name in differs - remembered if not COMPARES.fullmatch(name) and not is_figure(name)}
    assert stated == STATES_ITS_VERSION
    for name in remembered - {"labels/hierarchy.csv"}:
        first, last = (pl.read_csv(found[name]) for found in (before, after))
        # Every label of the first release is as it was; those of the release between have no specimens any more.
        assert last.head(first.height).equals(first), name
        more = last.slice(first.height).select(pl.col(SPLITS)).sum_horizontal()
        assert more.len() > 0, name
        assert more.sum() == 0, name
    for name in differs:
        if name.endswith("doubts.js"):
            assert listed_doubts(before[name]) == listed_doubts(after[name]), name
    figures = {name for name in before if is_figure(name)}
    assert len(figures) > 50
    for name in sorted(STATES_ITS_VERSION - {"changelog.md"} | figures):
        assert without_version(name, before[name], 1) == without_version(name, after[name], 3), name
    # The changelogs compare with nothing and with v2: what there is to be the same is that both are true.
    assert after["changelog.md"].decode().startswith("# Changes of v3 since v2\n")


def test_the_doubts_are_those_before_and_all_are_open(decided, undone):
    states = get(Lake(undone), "doubts").counts["states"]
    assert sum(one["decided"] + one["changed"] for one in states) == 0
    after = pl.read_parquet(get(Lake(undone), "doubts").path("doubts.parquet"))
    at_decisions = pl.read_parquet(get(Lake(decided[0]), "doubts").path("doubts.parquet"))
    # A decision settles its doubt and does not remove it.
    assert set(after.filter(pl.col("processid").is_not_null())["id"]) <= set(at_decisions["id"])


def test_taking_one_line_away_undoes_that_line_alone(decided, tmp_path):
    output = tmp_path / "out"
    shutil.copytree(decided[0], output, symlinks=True)
    (path,) = folder(Lake(output)).glob("*.csv")
    lines = path.read_text().splitlines(keepends=True)
    (country,) = [line for line in lines if "New Zealand" in line]
    path.write_text("".join(line for line in lines if line != country))
    assert main(["run", "--output", str(output), "--quiet"]) == 0
    moved = country.split(",")[0]
    found = {}
    for version in ("v1", "v2", "v3"):
        rows = [pl.read_parquet(one) for one in sorted((output / "releases" / version / "data").glob("*.parquet"))]
        found[version] = pl.concat(rows).sort("processid")
    names = ["processid", "country", "country_iso", "province_state", "coord-lat", "coord-lon", "species", "genus"]
    expected = found["v2"].select(names).to_dicts()
    (undone,) = [row for row in expected if row["processid"] == moved]
    (original,) = found["v1"].select(names).filter(processid=moved).to_dicts()
    undone |= {name: original[name] for name in ("country", "country_iso")}
    assert found["v3"].select(names).to_dicts() == expected
