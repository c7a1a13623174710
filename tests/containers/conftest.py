"""Where no engine is at hand, what needs one is reported as not run, with the reason."""

from __future__ import annotations

import pytest

from tests.support.containers import why_no_engine


@pytest.fixture(scope="session")
def engine_at_hand() -> None:
    """Skips whoever asks for it where containers cannot be run."""
    if reason := why_no_engine():
        pytest.skip(f"not run: {reason}")
