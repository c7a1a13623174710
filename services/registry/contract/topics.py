"""Which topics does this service write, and who may read them?"""

from __future__ import annotations

from shared.envelope import Topic

VOLUNTEERS = Topic(
    name="registry.volunteers.v1",
    key="subject id",
    public=True,
    description=(
        "People: registered, verified, claimed, consent given or withdrawn, moved in or away. "
        "No personal data."
    ),
)
ORGANISATIONS = Topic(
    name="registry.organisations.v1",
    key="organisation id",
    public=True,
    description="Organisations: registered or filed, sanctioned.",
)
POLICIES = Topic(
    name="registry.policies.v1",
    key="policy id",
    public=True,
    description="Every published policy version; the other services read their rules here.",
)
CHECKS = Topic(
    name="registry.checks.v1",
    key="transfer id",
    public=False,
    description="Identity confirmed or denied, for the node's transfer service.",
)
DEAD_LETTERS = Topic(
    name="registry.dead-letters.v1",
    key="key of the message that could not be read",
    public=False,
    description="What this service could not read, with reason and position.",
)

TOPICS = (VOLUNTEERS, ORGANISATIONS, POLICIES, CHECKS, DEAD_LETTERS)
