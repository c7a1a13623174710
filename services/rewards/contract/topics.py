"""Which topics does this service write, and who may read them?"""

from __future__ import annotations

from shared.envelope import Topic

AWARDS = Topic(
    name="rewards.awards.v1",
    key="subject id",
    public=True,
    description=(
        "Standings changed, stars became eligible, applied for, reviewed, publicised, awarded, "
        "kept, demoted, recognised; and how rewards follow a move."
    ),
)
DEAD_LETTERS = Topic(
    name="rewards.dead-letters.v1",
    key="key of the message that could not be read",
    public=False,
    description="What this service could not read, with reason and position.",
)

TOPICS = (AWARDS, DEAD_LETTERS)
