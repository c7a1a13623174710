"""Which directory files does a node take, and which does it go on without?"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from services.transfer.domain.directory import read_directory
from services.transfer.edge.directory import DirectoryFile, DirectoryIsWrong, pinned_keys
from shared.clock import FixedClock, read
from shared.messages import Unavailable, Unreadable
from tests.support.vectors import directory_file, resigned_directory, vectors
from tests.support.wire_ports import MemoryPorts, directory_in

NOW = "2027-03-01T02:00:00Z"


def put(folder: Path, serial: int, **body: Any) -> None:
    """The office publishes another file."""
    file, _ = resigned_directory(None, serial=serial, **body)
    (folder / "directory.json").write_text(json.dumps(file), "utf-8")


@pytest.fixture
def ports() -> MemoryPorts:
    return MemoryPorts()


@pytest.fixture
def held(tmp_path: Path, ports: MemoryPorts) -> DirectoryFile:
    return directory_in(tmp_path, ports, FixedClock(read(NOW)))


async def test_a_node_without_a_directory_is_not_available(held: DirectoryFile) -> None:
    with pytest.raises(Unavailable):
        held.current()


async def test_the_published_directory_is_taken_under_its_pinned_key(
    tmp_path: Path, ports: MemoryPorts
) -> None:  # directory.json, P1-5
    kid = directory_file()["sigs"][0]["kid"]
    public = next(key["public"] for key in vectors("keys")["ed25519"] if key["kid"] == kid)
    path = tmp_path / "directory.json"
    path.write_text(json.dumps(directory_file(), ensure_ascii=False, indent=2), "utf-8")
    pinned = pinned_keys([f"{kid}:{public}"])
    clock = FixedClock(read(NOW))
    file = DirectoryFile(path, pinned, threshold=1, clock=clock, serials=ports, journal=ports)
    directory = await file.load()
    assert directory.serial == 7 and set(directory.cities) == {"amber", "birch"}
    assert (
        directory.cities["amber"].seal_keys["amber:11f1928f30571815"].public.hex()
        == (vectors("keys")["x25519"][0]["public"])
    )


async def test_a_newer_directory_is_taken_and_an_older_one_is_not(
    held: DirectoryFile, ports: MemoryPorts, tmp_path: Path
) -> None:  # F44
    await held.load()
    put(tmp_path, 9)
    assert (await held.refresh()).serial == 9
    put(tmp_path, 8)
    assert (await held.refresh()).serial == 9
    assert (await held.refresh()).serial == 9
    assert [kind for kind, _, _ in ports.alarms] == ["directory-is-wrong"]


async def test_a_serial_does_not_fall_over_a_restart(
    held: DirectoryFile, ports: MemoryPorts
) -> None:  # F44
    ports.serial = 8
    with pytest.raises(DirectoryIsWrong, match="serial"):
        await held.load()


async def test_too_few_pinned_signatures_are_not_enough(
    tmp_path: Path, ports: MemoryPorts
) -> None:  # P1-5
    file, pinned = resigned_directory()
    path = tmp_path / "directory.json"
    path.write_text(json.dumps(file), "utf-8")
    two = {**pinned, "directory:0123456789abcdef": bytes(32)}
    clock = FixedClock(read(NOW))
    book = DirectoryFile(path, two, threshold=2, clock=clock, serials=ports, journal=ports)
    with pytest.raises(DirectoryIsWrong, match="1 of 2"):
        await book.load()
    with pytest.raises(ValueError, match="threshold"):
        DirectoryFile(path, two, threshold=3, clock=clock, serials=ports, journal=ports)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda file: file["body"]["nodes"][0].update(base_url="https://elsewhere.example"),
        lambda file: file["body"].update(serial=8),
        lambda file: file["sigs"][0].update(sig="0" * 128),
        lambda file: file.update(sigs=[]),
    ],
)
async def test_a_changed_file_is_not_taken(
    held: DirectoryFile, tmp_path: Path, spoil: Any
) -> None:  # F44
    await held.load()
    file, _ = resigned_directory()
    spoil(file)
    (tmp_path / "directory.json").write_text(json.dumps(file), "utf-8")
    with pytest.raises(DirectoryIsWrong):
        await held.load()
    assert held.current().serial == 7


async def test_a_stale_directory_alarms_once_and_goes_on(
    tmp_path: Path, ports: MemoryPorts
) -> None:  # 2.7
    held = directory_in(tmp_path, ports, FixedClock(read("2027-09-01T00:00:00Z")))
    await held.load()
    for _ in range(3):
        assert (await held.refresh()).serial == 7
    assert ports.alarms == [("directory-is-stale", None, {"reason": "7"})]


async def test_a_file_that_is_gone_leaves_the_last_good_one(
    held: DirectoryFile, ports: MemoryPorts, tmp_path: Path
) -> None:  # 10.4
    await held.load()
    (tmp_path / "directory.json").unlink()
    assert (await held.refresh()).serial == 7
    assert [kind for kind, _, _ in ports.alarms] == ["directory-is-wrong"]
    (tmp_path / "directory.json").write_bytes(b" " * (4 * 1_048_576 + 1))
    with pytest.raises(DirectoryIsWrong, match="longer"):
        await held.load()


async def test_only_an_older_directory_is_looked_at_again(
    held: DirectoryFile, tmp_path: Path
) -> None:  # section 8, check 2
    await held.load()
    put(tmp_path, 9)
    assert (await held.at_least(7)).serial == 7
    assert (await held.at_least(8)).serial == 9
    assert (await held.at_least(12)).serial == 9


@pytest.mark.parametrize(
    ("spoil", "names"),
    [
        (lambda node: node["keys"][0].update(uses=["message", "entry"]), "uses"),
        (lambda node: node["keys"][0].update(kid="birch:3f5d45756011d07b"), "kid"),
        (lambda node: node["keys"].append(node["keys"][0]), "kid"),
        (lambda node: node["keys"][0].update(alg="RSA"), "keys.alg"),
        (lambda node: node.update(status="gone"), "status"),
        (lambda node: node.pop("seal_keys"), "seal_keys"),
        (lambda node: node.update(protocols=[]), "protocols"),
        (lambda node: node.update(protocols=["jiexu/1.0"] * 9), "protocols"),
        (lambda node: node.update(suites=["x" * 41]), "suites"),
        (lambda node: node.update(keys=[]), "keys"),
        (lambda node: node["keys"][0].update(uses=[]), "uses"),
        (lambda node: node.update(tls_client_sha256=["0" * 63]), "tls_client_sha256"),
    ],
)
def test_a_directory_has_its_form(spoil: Any, names: str) -> None:  # 2.7, separation of keys
    file = directory_file()
    spoil(file["body"]["nodes"][0])
    with pytest.raises(Unreadable, match=names):
        read_directory(file)


def test_a_directory_may_say_more_than_we_know() -> None:
    file = directory_file()
    file["body"]["nodes"][0]["added"] = 1
    file["body"]["added"] = 1
    assert read_directory(file).serial == 7


@pytest.mark.parametrize("pin", ["", "directory", "directory:00", ":" + "0" * 64, "a:" + "g" * 64])
def test_a_pin_has_its_form(pin: str) -> None:
    with pytest.raises(ValueError, match="pinned directory key"):
        pinned_keys([pin])


def test_a_city_twice_is_no_directory() -> None:
    file = directory_file()
    file["body"]["nodes"].append(file["body"]["nodes"][0])
    with pytest.raises(Unreadable, match="twice"):
        read_directory(file)


async def test_two_loads_at_once_never_take_the_older_file(
    held: DirectoryFile, ports: MemoryPorts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # F44
    await held.load()
    put(tmp_path, 8)
    slowly, waits = asyncio.Event(), asyncio.Event()
    highest = ports.highest

    async def slow() -> int:
        known = await highest()
        waits.set()
        await slowly.wait()
        return known

    monkeypatch.setattr(ports, "highest", slow)
    older = asyncio.create_task(held.load())
    await waits.wait()
    monkeypatch.setattr(ports, "highest", highest)
    put(tmp_path, 9)
    newer = asyncio.create_task(held.load())
    await asyncio.wait({newer}, timeout=0.2)
    slowly.set()
    await asyncio.gather(older, newer)
    assert held.current().serial == 9
