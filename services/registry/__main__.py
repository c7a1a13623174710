"""``python -m services.registry serve|api|agents|worker|provision``"""

from __future__ import annotations

import sys

from services.registry.settings import RegistrySettings
from services.registry.wiring import assemble
from shared.roles.main import main

if __name__ == "__main__":
    sys.exit(main(RegistrySettings, assemble))
