"""How does an HTTP request become a command, and its outcome an answer?"""

from __future__ import annotations

from shared.requests.app import MAX_BODY_BYTES, Surroundings, new_app
from shared.requests.commands import CommandContext, command, submit
from shared.requests.pages import DEFAULT_LIMIT, MAX_LIMIT, Page, page, page_of

__all__ = [
    "DEFAULT_LIMIT",
    "MAX_BODY_BYTES",
    "MAX_LIMIT",
    "CommandContext",
    "Page",
    "Surroundings",
    "command",
    "new_app",
    "page",
    "page_of",
    "submit",
]
