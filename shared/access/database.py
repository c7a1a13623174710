"""How is the database reached, its password from a file and its certificate verified?"""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit


def database_url(
    url: str, password: str | None = None, sslmode: str | None = None, ca: Path | None = None
) -> str:
    """``url`` with this password instead of its own, and these TLS parameters of libpq.

    The only place that knows how they are spelt; whoever connects is given the URL whole.
    """
    parts = urlsplit(url)
    login, _, hosts = parts.netloc.rpartition("@")
    if password is not None:
        login = f"{login.partition(':')[0]}:{quote(password, safe='')}"
    query = dict(parse_qsl(parts.query))
    if sslmode is not None:
        query["sslmode"] = sslmode
    if ca is not None:
        query["sslrootcert"] = str(ca)
    return urlunsplit(
        parts._replace(netloc=f"{login}@{hosts}" if login else hosts, query=urlencode(query))
    )
