"""How many examples a property test tries."""

from hypothesis import settings

_ALL = 100


def examples(thorough: int) -> int:
    """So many in `make test-thorough`, and a quarter of them, but at least five, in `make test`."""
    return thorough if settings().max_examples >= _ALL else max(5, thorough // 4)
