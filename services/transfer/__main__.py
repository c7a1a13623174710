"""``python -m services.transfer serve|api|agents|worker|provision``"""

from __future__ import annotations

import sys

from services.transfer.settings import Settings
from services.transfer.wiring import assemble
from shared.roles.main import main

if __name__ == "__main__":
    sys.exit(main(Settings, assemble))
