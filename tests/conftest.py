"""Which fixtures does every test have at hand?"""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite("tests.support")

from tests.support.infrastructure import (  # noqa: E402
    database,
    kafka_bootstrap,
    node_name,
    postgres_url,
)

__all__ = ["database", "kafka_bootstrap", "node_name", "postgres_url"]
