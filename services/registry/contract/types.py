"""Under which name does each event travel, on which topic? A class may be renamed, a type never.

Fields travel under their own names, but a trailing underscore is dropped: ``from_`` is ``from``.
"""

from __future__ import annotations

from services.registry.contract import topics
from services.registry.domain.applicants import events as applicants
from services.registry.domain.codes import events as codes
from services.registry.domain.logins import events as logins
from services.registry.domain.organisations import events as organisations
from services.registry.domain.policies import events as policies
from services.registry.domain.volunteers import events as volunteers
from shared.messages import Event

PUBLIC: dict[str, type[Event]] = {
    "registry.volunteer-registered.v1": volunteers.VolunteerRegistered,
    "registry.verification-recorded.v1": volunteers.VerificationRecorded,
    "registry.registration-claimed.v1": volunteers.RegistrationClaimed,
    "registry.consent-given.v1": volunteers.ConsentGiven,
    "registry.consent-withdrawn.v1": volunteers.ConsentWithdrawn,
    "registry.subject-departed.v1": volunteers.SubjectDeparted,
    "registry.subject-linked.v1": volunteers.SubjectLinked,
    "registry.organisation-registered.v1": organisations.OrganisationRegistered,
    "registry.organisation-filed.v1": organisations.OrganisationFiled,
    "registry.organisation-sanctioned.v1": organisations.OrganisationSanctioned,
    "registry.policy-published.v1": policies.PolicyPublished,
}

# For the node's own services alone.
INTERNAL: dict[str, type[Event]] = {
    "registry.identity-confirmed.v1": codes.IdentityConfirmed,
    "registry.identity-denied.v1": codes.IdentityDenied,
}

# On no topic: rows of the event table, kept for audit.
OWN: dict[str, type[Event]] = {
    "registry.profile-kept.v1": volunteers.ProfileKept,
    "registry.transfer-code-issued.v1": volunteers.TransferCodeIssued,
    "registry.hold-placed.v1": volunteers.HoldPlaced,
    "registry.applicant-registered.v1": applicants.ApplicantRegistered,
    "registry.applicant-verified.v1": applicants.ApplicantVerified,
    "registry.code-kept.v1": applicants.CodeKept,
    "registry.code-dropped.v1": applicants.CodeDropped,
    "registry.application-resumed.v1": applicants.ApplicationResumed,
    "registry.application-ended.v1": applicants.ApplicationEnded,
    "registry.applicant-forgotten.v1": applicants.ApplicantForgotten,
    "registry.transfer-status-noted.v1": applicants.TransferStatusNoted,
    "registry.policy-proposed.v1": policies.PolicyProposed,
    "registry.code-tried.v1": codes.CodeTried,
    "registry.code-cancelled.v1": codes.CodeCancelled,
    "registry.code-settled.v1": codes.CodeSettled,
    "registry.check-ended.v1": codes.CheckEnded,
    "registry.login-bound.v1": logins.LoginBound,
    "registry.claim-failed.v1": logins.ClaimFailed,
    "registry.token-issued.v1": logins.TokenIssued,
    "registry.document-taken.v1": logins.DocumentTaken,
    "registry.document-freed.v1": logins.DocumentFreed,
}

TYPES: dict[str, type[Event]] = PUBLIC | INTERNAL | OWN
NAMES: dict[type[Event], str] = {shape: name for name, shape in TYPES.items()}

# What travels is what has examples and schemas.
RELEASED: dict[str, type[Event]] = PUBLIC | INTERNAL

# Fields that never leave the process: keyed digests and secrets that only a decision needs.
LEFT_OUT: dict[type[Event], frozenset[str]] = {
    volunteers.ProfileKept: frozenset({"documents"}),
    volunteers.TransferCodeIssued: frozenset({"secrets"}),
    applicants.ApplicantRegistered: frozenset({"documents", "born"}),
    logins.DocumentTaken: frozenset({"document_digest"}),
    logins.DocumentFreed: frozenset({"document_digest"}),
}

# Types on a public topic that subscribers pass over: none here.
NODE_INTERNAL: frozenset[str] = frozenset()

_TOPICS = {
    volunteers.VolunteerRegistered: topics.VOLUNTEERS,
    volunteers.VerificationRecorded: topics.VOLUNTEERS,
    volunteers.RegistrationClaimed: topics.VOLUNTEERS,
    volunteers.ConsentGiven: topics.VOLUNTEERS,
    volunteers.ConsentWithdrawn: topics.VOLUNTEERS,
    volunteers.SubjectDeparted: topics.VOLUNTEERS,
    volunteers.SubjectLinked: topics.VOLUNTEERS,
    organisations.OrganisationRegistered: topics.ORGANISATIONS,
    organisations.OrganisationFiled: topics.ORGANISATIONS,
    organisations.OrganisationSanctioned: topics.ORGANISATIONS,
    policies.PolicyPublished: topics.POLICIES,
    codes.IdentityConfirmed: topics.CHECKS,
    codes.IdentityDenied: topics.CHECKS,
}


def topic_of(event: type[Event]) -> str | None:
    """The topic (without the node's prefix) that carries this event; None: no topic."""
    topic = _TOPICS.get(event)
    return None if topic is None else topic.name
