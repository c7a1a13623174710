"""Does each test have a database and a node's name for itself?"""

from __future__ import annotations

import asyncpg
import pytest

from tests.support.infrastructure import eventually


async def test_a_fresh_database_is_empty_and_is_postgresql_18(database: str) -> None:
    connection = await asyncpg.connect(database)
    try:
        tables = await connection.fetchval(
            "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
        )
        assert tables == 0
        assert int(await connection.fetchval("SHOW server_version_num")) >= 180000
    finally:
        await connection.close()


@pytest.mark.broker
def test_the_broker_answers(kafka_bootstrap: str) -> None:
    from kafka.admin import KafkaAdminClient

    admin = KafkaAdminClient(bootstrap_servers=kafka_bootstrap)
    try:
        assert isinstance(admin.list_topics(), list)
    finally:
        admin.close()


async def test_waiting_in_vain_names_what_was_waited_for() -> None:
    with pytest.raises(pytest.fail.Exception, match="not: the hare"):
        await eventually(lambda: None, "the hare", seconds=0.1)
