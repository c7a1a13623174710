"""How does a service become processes? ``python -m services.X serve|api|agents|worker|…``."""

from __future__ import annotations

from shared.roles.main import ROLES, main, provision
from shared.roles.parts import Chore, Parts, Service, gather, no_chores, no_internal
from shared.roles.process import Process, Role

__all__ = [
    "ROLES",
    "Chore",
    "Parts",
    "Process",
    "Role",
    "Service",
    "gather",
    "main",
    "no_chores",
    "no_internal",
    "provision",
]
