"""Shared by all tests: where the project is, and a place of its own for compiled kernels."""

import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

# Numba's disk cache sees changes in a kernel's own file only. Kernels that call each other live
# in one file for that reason; a folder of their own keeps tests apart from a running server.
os.environ.setdefault("NUMBA_CACHE_DIR", str(ROOT / ".pytest_cache" / "numba"))

# Tests must not depend on what this user has fetched; those that want it ask for `smollm2`.
from microgpt.model.fetch import cache_folder  # noqa: E402

FETCHED = cache_folder()
os.environ["MICROGPT_CACHE"] = str(ROOT / ".pytest_cache" / "no-models")


@pytest.fixture(scope="session")
def fetched():
    """Where `python -m microgpt fetch smollm2` has brought SmolLM2-135M-Instruct."""
    if not (FETCHED / "smollm2" / "card.json").exists():
        pytest.skip("SmolLM2 is not here: python -m microgpt fetch smollm2")
    return FETCHED


@pytest.fixture(scope="session")
def smollm2(fetched):
    from microgpt.model.checkpoint import load

    return load(fetched / "smollm2")
