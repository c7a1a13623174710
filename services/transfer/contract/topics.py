"""Which topics does this service write, and who may read them?"""

from __future__ import annotations

from shared.envelope import Topic

TRANSFERS = Topic(
    name="transfer.transfers.v1",
    key="subject id; transfer id before the subject is known",
    public=True,
    description="Every step of a move between two cities, as this city sees it.",
)
ENDINGS = Topic(
    name="transfer.endings.v1",
    key="transfer id",
    public=False,
    description="Why a move ended: code, hold, abort certificate. For the node's registry only.",
)
DEAD_LETTERS = Topic(
    name="transfer.dead-letters.v1",
    key="key of the message that could not be read",
    public=False,
    description="What this service could not read, with reason and position.",
)

TOPICS = (TRANSFERS, ENDINGS, DEAD_LETTERS)
