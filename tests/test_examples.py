"""The notebooks of docs/examples run, and show what is stored in them."""

import nbformat
import pytest

from tools.run_examples import FOLDER, ORDER, read, run, texts, tidy


def test_every_notebook_has_its_place_in_the_order():
    assert sorted(path.stem for path in FOLDER.glob("*.ipynb")) == sorted(ORDER)


@pytest.mark.parametrize("name", ORDER)
def test_notebooks_are_stored_as_the_tool_writes_them(name):
    """So that a stored notebook has outputs, and nothing of the machine that made them."""
    notebook = read(name)
    stored = (FOLDER / f"{name}.ipynb").read_text()
    assert nbformat.writes(tidy(read(name))) + "\n" == stored
    assert any(texts(notebook))
    assert "/tmp/" not in stored
    streams = [out for cell in notebook.cells for out in cell.get("outputs", []) if out.output_type == "stream"]
    assert {out.name for out in streams} <= {"stdout"}
    assert notebook.cells[0].cell_type == "markdown"
    assert notebook.cells[0].source.startswith("# ")


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_the_notebooks_show_what_is_stored(tmp_path):
    for name in ORDER:
        stored = read(name)
        assert texts(run(stored, tmp_path)) == texts(stored), name
