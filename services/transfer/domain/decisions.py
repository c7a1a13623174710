"""Does this certificate decide our transfer? Rows D17, D17b and D18 of the destination."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Genuine = Callable[[Mapping[str, Any]], bool]


def release_fits(
    certificate: Mapping[str, Any],
    *,
    transfer_id: str,
    origin: str,
    destination: str,
    vote: Mapping[str, Any],
    vote_digest: str,
    last_link_digest: str,
    genuine: Genuine,
) -> bool:
    """Whether this is the release that our vote (content and body digest of our M6) asked for.

    ``last_link_digest`` is that of the last certificate in the chain of the offer, whose epoch is
    the vote's.
    """
    body = certificate["body"]
    if body["v"] != "custody/1" or body["kind"] != "release":
        return False
    return (
        body["transfer_id"] == transfer_id
        and body["from"] == origin
        and body["home"] == destination
        and body["epoch"] == vote["epoch"] + 1
        and body["prev"] == last_link_digest
        and body["accept_digest"] == vote_digest
        and all(body[name] == vote[name] for name in ("subject_id", "root", "count", "totals"))
        and genuine(certificate)
    )


def abort_fits(
    certificate: Mapping[str, Any],
    *,
    transfer_id: str,
    origin: str,
    destination: str,
    genuine: Genuine,
) -> bool:
    """Whether the origin ended this very transfer; before the admission it names no subject."""
    body = certificate["body"]
    return (
        body["v"] == "abort/1"
        and body["transfer_id"] == transfer_id
        and body["from"] == origin
        and body["to"] == destination
        and genuine(certificate)
    )
