"""A broker that lets nobody do more than they may; one for all tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.certificates import Authority
from tests.support.secured import SecuredKafka


@pytest.fixture(scope="package")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredKafka]:
    folder = tmp_path_factory.mktemp("secured")
    made = SecuredKafka(folder / "kafka", Authority(folder))
    made.start()
    yield made
    made.stop()
