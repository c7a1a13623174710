"""``python -m services.records serve|api|agents|worker|provision``"""

from __future__ import annotations

import sys

from services.records.settings import Settings
from services.records.wiring import assemble
from shared.roles.main import main

if __name__ == "__main__":
    sys.exit(main(Settings, assemble))
