"""Run the notebooks of docs/examples and store what they show.

    python tools/run_examples.py            after a change of a notebook, or of what one shows, before the commit
    python tools/run_examples.py table      these alone; `open`, `split` and `detect` need what `run` makes

The notebooks are stored with their outputs, so that the docs show them without running anything. They run one after the
other in one empty folder, as a reader does: the second one opens what the first one made. `tests/test_examples.py` runs
them too, and fails if a text differs from the stored one. It needs the dev dependencies (nbclient, ipykernel).
"""

from __future__ import annotations

import copy
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode
from traitlets.config import Config

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "examples"
ORDER = ("run", "open", "table", "split", "detect")
"""Notebooks in the order they run in, without `.ipynb`."""

# Metadata that a kernel and an editor leave behind, and that no reader needs.
_METADATA = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
_SECONDS = 1200  # for a cell; the run of the pipeline takes half a minute on an idle machine


def read(name: str) -> NotebookNode:
    """A notebook as it is stored.

    Raises:
        nbformat.ValidationError: it is not a valid notebook.
    """
    notebook = nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)
    nbformat.validate(notebook)
    return notebook


def run(notebook: NotebookNode, folder: Path) -> NotebookNode:
    """Run a notebook in a folder, in a kernel of its own; the outputs are in the copy that is returned.

    Raises:
        nbclient.exceptions.CellExecutionError: a cell fails.
    """
    done = copy.deepcopy(notebook)
    with _kernel_at_home(folder), tempfile.TemporaryDirectory(prefix="kernel-") as sockets:
        # Sockets of the file system: no port is opened. Their paths have to be short.
        config = Config(KernelManager=Config(transport="ipc", ip=f"{sockets}/k"))
        where = {"metadata": {"path": str(folder)}}
        NotebookClient(done, config=config, timeout=_SECONDS, kernel_name="python3", resources=where).execute()
    return tidy(done)


def tidy(notebook: NotebookNode) -> NotebookNode:
    """The notebook without times, machine and second forms of a picture: the same outputs give the same bytes."""
    notebook.metadata = nbformat.from_dict(_METADATA)
    code = 0
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number}"
        cell.metadata = nbformat.from_dict({})
        if cell.cell_type == "code":
            code += 1
            cell.execution_count = code
            for output in cell.outputs:
                if "execution_count" in output:
                    output.execution_count = code
                if "data" in output and "image/png" in output.data:
                    output.data.pop("image/jpeg", None)
    return notebook


def texts(notebook: NotebookNode) -> list[list[str]]:
    """What each code cell shows as text: prints, values, and the plain form of tables and pictures."""
    shown = []
    for cell in notebook.cells:
        if cell.cell_type == "code":
            outputs = cell.get("outputs", [])
            shown.append([out.text if "text" in out else out.get("data", {}).get("text/plain", "") for out in outputs])
    return shown


@contextmanager
def _kernel_at_home(folder: Path) -> Iterator[None]:
    """Keep what IPython and Jupyter write out of the user's home, and colours and progress out of the outputs."""
    home = folder / ".jupyter"
    home.mkdir(exist_ok=True)
    own = {"IPYTHONDIR": str(home), "JUPYTER_RUNTIME_DIR": str(home), "NO_COLOR": "1"}
    before = {name: os.environ.get(name) for name in own}
    os.environ.update(own)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def main(names: Sequence[str]) -> None:
    """Run notebooks, all if none is named, and store them."""
    with tempfile.TemporaryDirectory(prefix="bioscan-examples-") as scratch:
        for name in names or ORDER:
            print(name)
            nbformat.write(run(read(name), Path(scratch)), FOLDER / f"{name}.ipynb")


if __name__ == "__main__":
    main(sys.argv[1:])
