"""Which topics does this service write, and who may read them?"""

from __future__ import annotations

from shared.envelope import Topic

DOSSIERS = Topic(
    name="records.dossiers.v1",
    key="subject id",
    public=True,
    description=(
        "Entries recorded, approved, corrected, revoked; dossiers opened, frozen, departed, "
        "adopted. Fact summaries only: no content, no names."
    ),
)
BATCHES = Topic(
    name="records.batches.v1",
    key="batch id",
    public=False,
    description="Imports opened, closed, approved, rejected, revoked; rows imported and held.",
)
DEAD_LETTERS = Topic(
    name="records.dead-letters.v1",
    key="key of the message that could not be read",
    public=False,
    description="What this service could not read, with reason and position.",
)

TOPICS = (DOSSIERS, BATCHES, DEAD_LETTERS)
