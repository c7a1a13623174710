"""Do the adapters only deliver? Then they are short, and everything else is in the core."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
AT_MOST_LINES = 100


@pytest.mark.parametrize("adapter", ["faust_reader", "loop_reader"])
def test_an_adapter_has_at_most_100_lines(adapter: str):
    assert len((ROOT / f"shared/{adapter}.py").read_text("utf-8").splitlines()) <= AT_MOST_LINES
