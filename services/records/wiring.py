"""How is records put together? The only file that knows everyone."""

from __future__ import annotations

from pathlib import Path
from typing import Final

MIGRATIONS: Final = Path(__file__).parent / "edge" / "migrations"
