"""When do the certificates that a service shows end?"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from cryptography import x509

from shared.access.settings import AccessSettings

_SUFFIX: Final = "_certificate"


def shown_until(settings: AccessSettings) -> dict[str, datetime]:
    """Of each certificate that the settings name when it, or one that leads to its authority,
    ends (UTC); by what it is shown at or to: api, internal, federation, neighbour, peer, kafka."""
    found = {}
    for field in type(settings).model_fields:
        path = getattr(settings, field)
        if field.endswith(_SUFFIX) and path is not None:
            chain = x509.load_pem_x509_certificates(path.read_bytes())
            found[field.removesuffix(_SUFFIX)] = min(each.not_valid_after_utc for each in chain)
    return found
