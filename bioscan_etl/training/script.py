"""What the training scripts have in common: if something is wrong, a user reads one line.

Belongs here: how a script starts and ends. Does not belong here: what one script does, and how the assets run scripts
in another Python (`processes`).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from bioscan_etl.errors import BioscanError, sentence
from bioscan_etl.extras import MissingExtraError, extras_named


@contextmanager
def extras_of(module: str) -> Iterator[None]:
    """Import what an extra brings; if it is missing, say in one line what to install.

    Args:
        module: `__name__` of the importing module. A module that runs as a script ends with the line.

    Raises:
        MissingExtraError: a package of an extra is missing, and the module is imported.
        SystemExit: the same, and the module runs as a script.
    """
    try:
        with extras_named():
            yield
    except MissingExtraError as error:
        if module == "__main__":
            sys.exit(sentence(error))
        raise


def execute(main: Callable[[], None]) -> None:
    """Run a script's `main`, and end with one line if the user can fix the error.

    Raises:
        SystemExit: `main` failed with an error that a user can act on.
    """
    try:
        main()
    except (BioscanError, OSError) as error:
        sys.exit(sentence(error))
