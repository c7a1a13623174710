"""``python -m services.rewards serve|api|agents|worker|provision``"""

from __future__ import annotations

import sys

from services.rewards.settings import Settings
from services.rewards.wiring import assemble
from shared.roles.main import main

if __name__ == "__main__":
    sys.exit(main(Settings, assemble))
