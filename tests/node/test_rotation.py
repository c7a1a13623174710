"""A key gives way to the next: listed first, used in a week; the one before still verifies."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from node import expiry, keys, layout, making, rotation
from node.layout import Node
from node.terminal import Exit, Failure
from services.transfer.domain.directory import read_directory
from tests.node.test_cli import jiexu, told
from tests.support.certificates import Authority

MADE = datetime(2027, 3, 1, 2, 0, 0, tzinfo=UTC)
ADDED = MADE + timedelta(days=365)
WEEK = timedelta(days=7)


@pytest.fixture
def node(tmp_path: Path) -> Node:
    """A node that its office has listed a year ago."""
    making.make(tmp_path, "500000", "重庆", at=MADE)
    sign(tmp_path, MADE)
    return layout.load(tmp_path / "500000")


def sign(root: Path, at: datetime) -> None:
    making.sign(root, root / making.OFFICE, at)


def kid_of(file: Path) -> str:
    return keys.kid("500000", keys.public_bytes(keys.read_private(file)))


@pytest.mark.parametrize("use", rotation.SERVICE)
def test_a_key_gives_way_to_the_next(node: Node, use: str) -> None:
    file = node.keys / rotation.SERVICE[use] / f"{use}.key"
    before = kid_of(file)
    item = rotation.add(node, use, ADDED)
    sign(node.home.parent, ADDED)
    assert [(each.kid, each.state, each.signed) for each in rotation.listed(node)
            if each.use == use] == [(item["kid"], "next", True), (before, "in use", True)]

    kept = rotation.take_into_use(node, use, ADDED + WEEK)
    assert (kid_of(file), kid_of(kept)) == (item["kid"], before)
    assert {stat.S_IMODE(one.stat().st_mode) for one in (file, kept)} == {0o400}
    assert not file.with_name(f"{file.name}.next").exists()
    assert [each.state for each in rotation.listed(node) if each.use == use] == ["in use", "before"]


def test_other_cities_take_old_and_new_key_side_by_side(node: Node) -> None:
    (old,) = (each.kid for each in rotation.listed(node) if each.use == "message")
    new = rotation.add(node, "message", ADDED)["kid"]
    sign(node.home.parent, ADDED)
    theirs = read_directory(json.loads(Path(node.directory).read_text("utf-8")))

    def hold(at: datetime) -> list[bool]:
        return [theirs.key("500000", kid, "message", keys.moment(at)) is not None
                for kid in (old, new)]

    assert hold(ADDED) == [True, False]
    assert hold(ADDED + WEEK) == [True, True]
    assert hold(MADE + timedelta(days=keys.VALID_DAYS - 1)) == [True, True]
    assert hold(ADDED + WEEK + timedelta(days=keys.VALID_DAYS - 1)) == [False, True]


def test_the_key_that_is_in_use_rings_until_the_next_takes_its_place(node: Node) -> None:
    (old,) = (each.kid for each in rotation.listed(node) if each.use == "head")
    new = rotation.add(node, "head", ADDED)["kid"]
    late = MADE + timedelta(days=keys.VALID_DAYS - 10)
    sign(node.home.parent, late)

    def rings() -> set[str]:
        return {item.what for item in expiry.soon(node, late) if item.what.startswith("head")}

    assert rings() == {f"head key {old}"}
    rotation.take_into_use(node, "head", late)
    assert rings() == set()
    (node.keys / "records" / "head.key").unlink()  # kept elsewhere: the one that ends last counts
    assert new in {item.what.split()[-1] for item in expiry.expiries(node, late)}
    assert rings() == set()


def test_a_certificate_of_the_node_that_ends_within_30_days_is_listed(node: Node) -> None:
    now = datetime.now(UTC)
    days = {"near": 29, "far": 60}
    shown = {name: Authority(node.home).sign(name, life=timedelta(days=n))
             for name, n in days.items()}
    changed = node.changed(extra={
        "JIEXU_PEER_CERTIFICATE": str(shown["near"].certificate),
        "JIEXU_API_CERTIFICATE": str(shown["far"].certificate),
        "JIEXU_INTERNAL_CERTIFICATE": str(node.home / "absent.pem")})
    assert [item.what for item in expiry.certificates(changed, now)] == [
        "certificate JIEXU_PEER_CERTIFICATE"]


def test_a_key_that_was_made_but_not_listed_is_listed(node: Node) -> None:
    following = node.keys / "transfer" / "custody.key.next"
    keys.write_private(following, rotation.Ed25519PrivateKey.generate())
    assert rotation.add(node, "custody", ADDED)["kid"] == kid_of(following)


def unlisted(node: Node) -> None:
    rotation.add(node, "entry", ADDED)


def too_early(node: Node) -> None:
    unlisted(node)
    sign(node.home.parent, ADDED)


def revoked(node: Node) -> None:
    unlisted(node)
    file = node.home / "entry.json"
    entry = json.loads(file.read_text("utf-8"))
    entry["keys"][-1]["revoked_at"] = entry["keys"][-1]["not_before"] = keys.moment(MADE)
    file.write_text(json.dumps(entry), "utf-8")
    sign(node.home.parent, ADDED)


def elsewhere(node: Node) -> None:
    too_early(node)
    (node.keys / "records" / "entry.key").rename(node.home / "elsewhere.key")


@pytest.mark.parametrize(("prepare", "said"), [
    (lambda _: None, "jiexu keys add entry makes one"),
    (unlisted, "the directory does not list 500000:.* yet: give entry.json to the office"),
    (too_early, "is valid from 2028-03-07T02:00:00Z to .* alone"),
    (revoked, "and revoked"),
    (elsewhere, "there is no .*entry.key: a key is taken into use where keys lie"),
])
def test_a_key_is_not_used_before_others_know_it(
        node: Node, prepare: Callable[[Node], None], said: str) -> None:
    folder = node.keys / "records"
    prepare(node)
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    with pytest.raises(Failure, match=said) as failed:
        rotation.take_into_use(node, "entry", ADDED + WEEK - timedelta(seconds=1))
    assert failed.value.code is Exit.ASKED_WRONGLY
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before


@pytest.mark.parametrize(("entry", "said"), [
    (None, "there is no .*entry.json"),
    ("{", "is no JSON"),
    ('{"city": "500000"}', "is no entry of a node"),
    ('{"city": "510100", "base_url": "", "keys": [], "seal_keys": []}', "of another node"),
    ('{"city": "500000", "base_url": "", "keys": [{}], "seal_keys": []}', "lists of keys"),
    ('{"city": "500000", "base_url": "", "keys": 1, "seal_keys": []}', "lists of keys"),
])
def test_an_entry_that_is_none_is_named(node: Node, entry: str | None, said: str) -> None:
    file = node.home / "entry.json"
    file.unlink()
    if entry is not None:
        file.write_text(entry, "utf-8")
    with pytest.raises(Failure, match=said):
        rotation.add(node, "message", ADDED)
    assert not (node.keys / "transfer" / "message.key.next").exists()


def test_the_commands_say_what_comes_next(node: Node) -> None:
    root = node.home.parent
    for command in ("add", "use"):
        done = jiexu(root, "keys", command, "vault")
        assert done.returncode == Exit.ASKED_WRONGLY
        assert "keys are for message, custody, entry, head, seal" in done.stderr
    done = jiexu(root, "keys", "add", "seal")
    assert done.returncode == 0 and "jiexu keys use seal" in done.stdout
    done = jiexu(root, "keys", "add", "seal")
    assert done.returncode == Exit.ASKED_WRONGLY and "is listed already" in done.stderr
    listed = told(jiexu(root, "keys", "list", "--json"))
    assert {each["state"] for each in listed if each["use"] == "seal"} == {"next", "in use"}
    assert jiexu(root, "keys", "list").returncode == 0
