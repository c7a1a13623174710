"""What does transfer read of records over internal HTTP? The log, the head, single entries."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

from shared.canonical import canonical, digest
from shared.internal_http import InternalClient
from shared.messages import Unavailable

PAGE = 500


class LogIsBroken(Exception):
    """The log is shorter than its head says, or an entry is not under its digest."""


class Records:
    """Asks this node's records; raises ``Unavailable`` and ``shared.internal_http.Refused``."""

    def __init__(self, client: Callable[[], InternalClient]) -> None:
        self._client = client

    async def head(self, subject_id: str) -> Mapping[str, Any]:
        """``{head, log_id}``: signed now, with state digest."""
        found: Mapping[str, Any] = await self._client().get(
            f"/internal/v1/dossiers/{subject_id}/head"
        )
        return found

    async def log(
        self, subject_id: str, log_id: str, count: int
    ) -> AsyncIterator[list[Mapping[str, Any]]]:
        """The first ``count`` leaves as signed entries in log order, a page at a time."""
        read = 0
        while read < count:
            # Leaves are numbered from 0; a page begins after the last one read.
            answer = await self._client().get(
                f"/internal/v1/dossiers/{subject_id}/log/{log_id}",
                {"after": read - 1, "limit": min(PAGE, count - read)},
            )
            page = answer["items"][: count - read]
            if not page:
                raise LogIsBroken("the log is shorter than its head says")
            read += len(page)
            yield page

    async def entry(self, path: str, entry_digest: str) -> Mapping[str, Any]:
        """The signed entry behind a path; its body must be the one that was announced."""
        found: Mapping[str, Any] = await self._client().get(path)
        if digest(found["body"]) != entry_digest:
            raise Unavailable("records gave another entry than it announced", 30)
        return found


def line(entry: Mapping[str, Any]) -> bytes:
    """A leaf as it stands in a bundle, without its line feed."""
    return canonical(dict(entry))
