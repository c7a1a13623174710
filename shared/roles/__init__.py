"""How does a service become processes? ``python -m services.X serve|api|agents|worker|…``."""

from __future__ import annotations

from shared.roles.parts import Chore, Parts, Service, gather, no_chores, no_internal

__all__ = ["Chore", "Parts", "Service", "gather", "no_chores", "no_internal"]
