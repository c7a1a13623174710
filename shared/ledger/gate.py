"""May this process write?"""

from __future__ import annotations

from shared.messages import Unavailable


class Gate:
    """Whether this process may write. Closed with a reason until the service's own topics have
    been compared with its database, and for good when they know more."""

    def __init__(self, reason: str | None = None) -> None:
        self.reason = reason

    def open(self) -> None:
        """Writes are taken from now on."""
        self.reason = None

    def close(self, reason: str) -> None:
        """Writes answer ``Unavailable`` with this reason from now on."""
        self.reason = reason

    def check(self) -> None:
        """Raises ``Unavailable`` while closed."""
        if self.reason is not None:
            raise Unavailable(self.reason, retry_after_seconds=5)
