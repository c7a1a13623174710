"""How does a process end when something happened that nobody foresaw?"""

from __future__ import annotations

import logging
import os
import sys
from typing import Final

EXIT_UNFORESEEN: Final = 70  # EX_SOFTWARE


def exit_at_once(status: int) -> None:
    """``os._exit``: no handler runs, nothing is acknowledged; logs are flushed first."""
    for handler in logging.getLogger().handlers:
        handler.flush()
    sys.stderr.flush()
    os._exit(status)
