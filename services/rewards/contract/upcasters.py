"""How is old data of this service's events read today? No type has been superseded yet."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

UPCASTERS: Mapping[str, Callable[[Mapping[str, Any]], Mapping[str, Any]]] = {}
