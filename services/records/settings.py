"""What must records be told before it starts?"""

from __future__ import annotations

from typing import ClassVar

from shared.settings import ExistingFile, Listed, ServiceSettings


class Settings(ServiceSettings):
    """``directory``: the signed file of the federation, by which entries of others are judged.

    ``directory_keys``: the pinned keys of its office, each ``kid:hex``; so many must have signed
    as ``directory_threshold`` says (protocol.md 3.4). Without a file, entries of other cities wait.
    """

    service: ClassVar[str] = "records"

    directory: ExistingFile | None = None
    directory_keys: Listed = ()
    directory_threshold: int = 1
