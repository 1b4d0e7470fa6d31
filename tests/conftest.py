"""Fixtures that more than one test file uses."""

from pathlib import Path

import pytest
from hypothesis import settings

# Machines are shared and noisy: a slow example is no failure.
settings.register_profile("shared", deadline=None)
settings.load_profile("shared")

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real records and images that lies beside the checkout."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"real data is absent: no folder {SHARED_DATA}")
    return SHARED_DATA
