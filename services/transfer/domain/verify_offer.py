"""May an offer be taken up? Checks 1–6 of the destination: terms, head, chain, bundle list.

``genuine`` says of a signed object whether its signature holds: at the edge it asks the directory,
in the decider it looks into the set that came with the message.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from services.transfer.domain.commands import Flaw
from services.transfer.domain.envelopes import Envelope
from shared.canonical import digest

Genuine = Callable[[Mapping[str, Any]], bool]
Known = tuple[int, str]
"""(epoch, digest of the body) of a certificate."""

MAX_FREEZE_TO_HEAD_SECONDS: Final = 60
SEAL_BYTES: Final = 16
"""What sealing adds to a bundle: the tag of AES-256-GCM."""


def judge_offer(
    offer: Envelope,
    *,
    request: Mapping[str, Any],
    request_ids: Collection[str],
    genuine: Genuine,
    known: Iterable[Known] = (),
    own: Iterable[Known] = (),
) -> Flaw | None:
    """Checks 1–6 on an M4; the first that fails decides.

    ``request`` is the content of our M1, ``request_ids`` the message ids under which it was sent.
    ``known`` are all certificates of the subject held here, ``own`` those that this city signed,
    each under the epoch in which it then kept the dossier (of a release the one before it).
    """
    content = offer.content
    head = content["head"]
    return (
        judge_terms(offer, request, request_ids)
        or judge_head(
            head,
            subject_id=content["subject_id"],
            epoch=content["epoch"],
            home=offer.sender,
            frozen_at=content["frozen_at"],
            genuine=genuine,
        )
        or judge_chain(
            content["custody_chain"],
            subject_id=content["subject_id"],
            epoch=content["epoch"],
            home=offer.sender,
            genuine=genuine,
        )
        or judge_known(content["custody_chain"], known)
        or judge_own(content["custody_chain"], own)
        or judge_bundle_list(content["bundles"], head["body"]["count"])
    )


def judge_terms(
    offer: Envelope, request: Mapping[str, Any], request_ids: Collection[str]
) -> Flaw | None:
    """Check 1: our request, our suites and protocols (401), our limits (408)."""
    content, limits = offer.content, request["limits"]
    if (
        offer.in_reply_to not in request_ids
        or content["suite"] not in request["suites"]
        or offer.protocol not in request["protocols"]
    ):
        return Flaw(code="TR-401", evidence_digest=offer.digest)
    bundles = content["bundles"]
    if (
        max(content["head"]["body"]["count"], sum(bundle["entries"] for bundle in bundles))
        > limits["max_entries"]
        or len(bundles) > limits["max_bundles"]
        or any(bundle["bytes"] > limits["max_bundle_bytes"] + SEAL_BYTES for bundle in bundles)
    ):
        return Flaw(code="TR-408", evidence_digest=offer.digest)
    return None


def judge_head(
    head: Mapping[str, Any],
    *,
    subject_id: str,
    epoch: int,
    home: str,
    genuine: Genuine,
    frozen_at: str | None = None,
) -> Flaw | None:
    """Check 2: signed by the origin, of this subject and epoch, made at the freeze."""
    body = head["body"]
    fits = (
        (body["subject_id"], body["epoch"], body["home"]) == (subject_id, epoch, home)
        and (
            frozen_at is None or _seconds_apart(body["at"], frozen_at) <= MAX_FREEZE_TO_HEAD_SECONDS
        )
        and genuine(head)
    )
    return None if fits else Flaw(code="TR-204", evidence_digest=digest(body))


def judge_chain(
    chain: Sequence[Mapping[str, Any]],
    *,
    subject_id: str,
    epoch: int,
    home: str,
    genuine: Genuine,
) -> Flaw | None:
    """Check 3: from genesis on, one certificate an epoch, each naming the one before."""
    homes: list[str] = []
    before: str | None = None
    for number, certificate in enumerate(chain, start=1):
        body = certificate["body"]
        evidence = digest(body)
        fits = (
            body["subject_id"] == subject_id
            and body["epoch"] == number
            and body["prev"] == before
            and (body["kind"] == "genesis") == (number == 1)
            and body["from"] == (homes[-1] if homes else body["home"])
            and (body["kind"] != "recovery" or certificate["kid"].partition(":")[0] in homes)
            and genuine(certificate)
        )
        if not fits:
            return Flaw(code="TR-405", evidence_digest=evidence)
        homes.append(body["home"])
        before = evidence
    if not homes or homes[-1] != home or len(homes) != epoch:
        return Flaw(code="TR-405", evidence_digest=before)
    return None


def judge_known(chain: Sequence[Mapping[str, Any]], known: Iterable[Known]) -> Flaw | None:
    """Check 4: no certificate known here contradicts the chain."""
    links = {link["body"]["epoch"]: digest(link["body"]) for link in chain}
    for epoch, certificate_digest in known:
        if links.get(epoch, certificate_digest) != certificate_digest:
            return Flaw(code="TR-406", evidence_digest=certificate_digest)
    return None


def judge_own(chain: Sequence[Mapping[str, Any]], own: Iterable[Known]) -> Flaw | None:
    """Check 5: a dossier that was here before comes back with our certificates in its chain
    (405), and under a higher epoch than we last held (303)."""
    digests = {digest(link["body"]) for link in chain}
    own = tuple(own)
    for _, certificate_digest in own:
        if certificate_digest not in digests:
            return Flaw(code="TR-405", evidence_digest=certificate_digest)
    if own and chain[-1]["body"]["epoch"] <= max(epoch for epoch, _ in own):
        return Flaw(code="TR-303", evidence_digest=digest(chain[-1]["body"]))
    return None


def judge_bundle_list(bundles: Sequence[Mapping[str, Any]], count: int) -> Flaw | None:
    """Check 6: numbers and first indices from 0 without gaps, together all the leaves."""
    index, gapless = 0, True
    for number, bundle in enumerate(bundles):
        gapless = gapless and bundle["n"] == number and bundle["first_index"] == index
        index += bundle["entries"]
    if gapless and index == count:
        return None
    return Flaw(code="TR-402", evidence_digest=digest(list(bundles)))


def homes_of(chain: Sequence[Mapping[str, Any]]) -> frozenset[str]:
    """Every city that had custody."""
    return frozenset(link["body"]["home"] for link in chain)


def _seconds_apart(one: str, other: str) -> float:
    return abs((datetime.fromisoformat(one) - datetime.fromisoformat(other)).total_seconds())
