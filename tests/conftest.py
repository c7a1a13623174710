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

# These wait most. Begun first, they run beside the many quick ones and not alone at the end.
SLOW = ("tests/subscribers/", "tests/broker/", "tests/node/")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: not item.nodeid.startswith(SLOW))


__all__ = ["database", "kafka_bootstrap", "node_name", "postgres_url"]
