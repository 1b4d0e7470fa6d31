"""The changelog of a later release, and texts of another version; see also `test_release_check_resealed_texts.py`."""

import json

import pytest
from release_corpus import GROWN, corpus
from resealed import copied, put, sealed

from bioscan_etl.release.check import check
from bioscan_etl.release.check.origin import MANIFEST_STAGE, Origin
from bioscan_etl.release.check.texts import compared
from bioscan_etl.release.manifest import MANIFEST, CorpusProvenance, Provenance, read_head, write_manifest
from bioscan_etl.settings import ReleaseSettings, Settings

SMALL = ReleaseSettings(image_packages=(), hdf5_packages=(), forms=("splits",))


@pytest.fixture(scope="module")
def later(tmp_path_factory):
    """v2, of which two specimens are new since v1 and one label is another."""
    folder = tmp_path_factory.mktemp("releases")
    settings = Settings(release=SMALL, splits=GROWN)
    made = corpus(tmp_path_factory.mktemp("lake"))
    fewer = type(made)(
        made.curated.slice(0, 6).vstack(made.curated.slice(8)),
        made.partitions.slice(0, 6).vstack(made.partitions.slice(8)),
        made.logs,
        made.crops,
        made.rows_read - 2,
    )
    fewer.build(folder, settings, "1" * 64)
    return made.build(folder, settings, "2" * 64)


def test_a_later_release_has_no_fault(later):
    assert "32 specimens; v1 had 30." in (later / "changelog.md").read_text()
    assert check(later) == []


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("# Changes of v2 since v1", "# Changes of v3 since v1", "does not begin with the changes of v2"),
        ("# Changes of v2 since v1", "# Changes of v2 since v2", "which is no earlier version"),
        ("32 specimens;", "33 specimens;", "says 33 specimens, manifest.json 32"),
        ("v1 had 30", "v1 had 31", "says 32 specimens after 31, which 2 added and 0 removed do not give"),
        ("v1 had 30", "v9 had 30", "counts the specimens of v9"),
        ("32 specimens; v1 had 30.", "Better.", "does not say how many specimens"),
        ("| added | 2 |", "| added | 3 |", "says 3 added, the reasons sum to 2"),
    ],
)
def test_a_changelog_that_contradicts_the_release_is_named(later, tmp_path, before, after, words):
    root = copied(later, tmp_path)
    text = (root / "changelog.md").read_text()
    assert before in text
    put(root / "changelog.md", text.replace(before, after, 1).encode())
    found = check(sealed(root))
    assert any(fault.file == "changelog.md" and words in fault.fault for fault in found), found


def test_moves_that_the_table_does_not_list_are_named(later, tmp_path):
    root = copied(later, tmp_path)
    text = (root / "changelog.md").read_text()
    row = "| train | val | MOVED_SPECIES_NAMED | 3 |"
    moved = f"## Moved between partitions\n\n| from | to | reason | specimens |\n|---|---|---|---:|\n{row}\n\n"
    put(root / "changelog.md", text.replace("## Reasons", f"{moved}## Reasons", 1).encode())
    found = check(sealed(root))
    assert any("3 specimens moved from train to val (MOVED_SPECIES_NAMED), " in fault.fault for fault in found), found


ORIGIN = Origin({"release_manifest": [{"version": "3", "data": {}}]}, lambda stage: ("4", "[]", "[]"))


def facts(text):
    return dict(line.split("=") for line in text.splitlines() if "=" in line)


def test_of_other_code_only_the_facts_of_a_text_are_compared():
    assert list(compared("x", "words\na=1", "other words\na=1\nb=2", ORIGIN, facts)) == []
    [fault] = compared("x", "words\na=2", "other words\na=1", ORIGIN, facts)
    assert fault.fault == "a is '2'; the release itself says '1'"


def test_of_the_same_code_every_letter_is_compared():
    ours = Origin(
        {"release_manifest": [{"version": "4", "data": {}, "libraries": {"polars": "1"}}]},
        lambda stage: ("4", "[]", "[]"),
    )
    [fault] = compared("x", "words\na=1", "other words\na=1", ours, facts)
    assert fault.fault == "line 1 is 'words'; made of this release, it is 'other words'"
    assert Origin(None, lambda stage: None).is_ours()
    assert not Origin({}, lambda stage: ("4", "[]", "[]")).is_ours()


def as_of_another_version(root):
    """The same release, stated to be made by code that is not installed."""
    stage = CorpusProvenance(code={"version": "0"}, settings={})
    made = Provenance(
        batches={}, corpus={MANIFEST_STAGE: stage}, withdrawn={}, notes={}, settings_digest="0" * 64
    ).model_dump(mode="json")
    head = read_head(root) | {"format_version": 2, "provenance": made}
    files = json.loads((root / MANIFEST).read_text())["files"]
    write_manifest(root, head, files)
    return root


@pytest.fixture(scope="module")
def older(tmp_path_factory):
    """A release of another version, whose settings have Markdown."""
    chosen = SMALL.model_copy(update={"copyright_holder": "A*Star [Lab] | <B>"})
    built = corpus(tmp_path_factory.mktemp("lake")).build(
        tmp_path_factory.mktemp("releases"), Settings(release=chosen, splits=GROWN)
    )
    return as_of_another_version(built)


def of_the_card(root):
    return [fault.fault for fault in check(root) if fault.file == "README.md"]


def test_a_card_of_another_version_may_be_worded_otherwise(older, tmp_path):
    root = copied(older, tmp_path)
    text = (root / "README.md").read_text()
    put(root / "README.md", text.replace("Every input row is accounted for", "Of all rows").encode())
    assert of_the_card(sealed(root)) == []


def test_a_card_of_another_version_may_have_texts_of_the_settings_as_they_are(older, tmp_path):
    root = copied(older, tmp_path)
    text = (root / "README.md").read_text()
    assert r"A\*Star \[Lab\] \| \<B\>" in text
    put(root / "README.md", text.replace(r"A\*Star \[Lab\] \| \<B\>", "A*Star [Lab] | <B>").encode())
    assert of_the_card(sealed(root)) == []


@pytest.mark.parametrize("before", ["\n32 specimens, each", "\na partition; "])
def test_numbers_in_the_sentences_of_a_card_of_another_version_are_compared(older, tmp_path, before):
    root = copied(older, tmp_path)
    text = (root / "README.md").read_text()
    after = before.replace("32", "33") if "32" in before else f"{before}9"
    assert before in text
    put(root / "README.md", text.replace(before, after, 1).encode())
    [fault] = of_the_card(sealed(root))
    assert fault.startswith("the number of specimens, and of those with an image is ('")


def test_a_changelog_of_another_version_may_be_worded_otherwise(older, tmp_path):
    root = copied(older, tmp_path)
    put(root / "changelog.md", b"# Changes of v1\n\nNothing came before.\n")
    assert [fault for fault in check(sealed(root)) if fault.file == "changelog.md"] == []
