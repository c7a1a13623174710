"""What must records be told before it starts?"""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field, ValidationInfo, field_validator

from shared.settings import ExistingFile, Pins, ServiceSettings


class Settings(ServiceSettings):
    """The signed file of the federation, by which entries of other cities are judged."""

    service: ClassVar[str] = "records"

    directory: ExistingFile | None = None
    """The signed node directory; without it entries of other cities wait."""
    directory_keys: Pins = ()
    """The pinned keys of the federation's office, kid:hex,kid:hex."""
    directory_threshold: Annotated[int, Field(ge=1, le=16, validate_default=True)] = 1
    """So many of these keys must have signed the directory."""

    @field_validator("directory_threshold")
    @classmethod
    def _can_be_reached(cls, threshold: int, info: ValidationInfo) -> int:
        pins = info.data.get("directory_keys")
        if info.data.get("directory") is not None and pins is not None and threshold > len(pins):
            raise ValueError("is more than the keys in JIEXU_DIRECTORY_KEYS")
        return threshold
