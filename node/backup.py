"""What of a node must be kept apart from it, and how is it taken while the node runs?

    DIRECTORY/
      database.dump      pg_dump's custom format: every schema as it stood at one instant
      offsets.json       how far each reader and relay was, and the consumer groups' offsets
      settings/          node.json, entry.json, directory.json
      manifest.json      of which node, when, and the digest of each file; written last

Keys are not in it: they are kept apart from what they open (docs/operators.md).
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from node import keys, topics
from node.broker import brokers_of
from node.database import url_of
from node.layout import DATABASE, POSTGRES, SERVICES, Node, write_whole
from node.members import server_of
from node.postgres import binaries

MANIFEST = "manifest.json"
FORMAT = 1
# A large city's database; pg_dump writes some 30 MB a second.
DUMP_SECONDS = 6 * 3600
REQUEST_MILLISECONDS = 10_000


class _Said(Exception):
    """In both languages."""

    def __init__(self, zh: str, en: str) -> None:
        super().__init__(en)
        self.zh, self.en = zh, en


class CannotBackUp(_Said):
    """The place is taken, or a part could not be read; the text says which and what to do."""


class BackupIsWrong(_Said):
    """A backup that is incomplete, or of which a file has changed."""


def take(node: Node, place: Path, at: datetime) -> dict[str, Any]:
    """Write a backup of the running node and return its manifest.

    Raises ``CannotBackUp``; what was begun is then removed. Errors of asyncpg, kafka-python and
    the operating system pass: node away, no space.
    """
    if place.exists() and (not place.is_dir() or any(place.iterdir())):
        raise CannotBackUp(f"{place} 不是空目录:请另选新目录",
                           f"{place} is not empty: name a new directory")
    made = not place.exists()
    place.mkdir(parents=True, exist_ok=True)
    # The vault is in it, encrypted, and everybody's pseudonyms.
    place.chmod(0o700)
    try:
        _copy_settings(node, place / "settings")
        # Before the dump: offsets that are older than the database only repeat messages.
        offsets = asyncio.run(_offsets(node))
        write_whole(place / "offsets.json", json.dumps(offsets, indent=2), 0o600)
        _dump(node, place / "database.dump")
        manifest = {
            "format": FORMAT, "node": node.code, "at": keys.moment(at),
            "incarnations": {name: one["incarnation"] for name, one in offsets["services"].items()},
            "files": {str(path.relative_to(place)): _digest(path) for path in _files(place)},
        }
        write_whole(place / MANIFEST, json.dumps(manifest, indent=2), 0o600)
    except BaseException:
        _remove(place, made)
        raise
    return manifest


def check(place: Path) -> dict[str, Any]:
    """The manifest of a backup whose files are all as they were written. ``BackupIsWrong``."""
    try:
        manifest: dict[str, Any] = json.loads((place / MANIFEST).read_text("utf-8"))
        wanted = dict(manifest["files"])
        made = manifest["format"], manifest["node"], manifest["at"]
    except (OSError, ValueError, KeyError, TypeError):
        raise BackupIsWrong(
            f"{place} 中没有完整的备份:{MANIFEST} 缺失或不全",
            f"{place} holds no complete backup: {MANIFEST} is missing or lacks a part") from None
    if made[0] != FORMAT:
        raise BackupIsWrong(f"{place} 的格式为 {made[0]},本版本只读 {FORMAT}",
                            f"{place} is of format {made[0]}; this release reads {FORMAT}")
    for name, digest in wanted.items():
        path = place / name
        if not path.is_file() or _digest(path) != digest:
            raise BackupIsWrong(f"{path} 缺失,或在备份后被改动",
                                f"{path} is missing or has changed since the backup")
    return manifest


async def _offsets(node: Node) -> dict[str, Any]:
    """Of each service how far its readers and its relay were; and what Kafka's groups say."""
    services = {}
    for service in SERVICES:
        connection = await topics.connect(url_of(node), service)
        try:
            services[service] = {
                "incarnation": await connection.fetchval("SELECT number FROM node_incarnation"),
                "read": {f"{row['topic']}/{row['partition']}": row["next_offset"]
                         for row in await connection.fetch(
                             "SELECT topic, partition, next_offset FROM source_progress")},
                "published": {f"{row['topic']}/{row['partition']}": row["next_offset"]
                              for row in await connection.fetch(
                                  "SELECT topic, partition, next_offset FROM relay_offset")},
            }
        finally:
            await connection.close()
    return {"services": services, "groups": await asyncio.to_thread(_groups, node)}


def _groups(node: Node) -> dict[str, dict[str, int]]:
    """Of each consumer group of this node the committed offset by topic/partition."""
    from kafka import KafkaAdminClient

    admin = KafkaAdminClient(**brokers_of(node).kafka_python(),
                             request_timeout_ms=REQUEST_MILLISECONDS)
    try:
        names = [group["group_id"] for group in admin.list_groups()
                 if group["group_id"].startswith(f"{node.code}.")]
        found = admin.list_group_offsets(names) if names else {}
        return {name: {f"{part.topic}/{part.partition}": meta.offset
                       for part, meta in sorted(committed.items())}
                for name, committed in sorted(found.items())}
    finally:
        admin.close()


def _dump(node: Node, file: Path) -> None:
    """pg_dump: one snapshot of the whole database, while everything goes on."""
    with _password(node) as passfile:
        done = subprocess.run(
            [str(binaries() / "pg_dump"), "--format=custom", "--no-password", f"--file={file}",
             "--host=127.0.0.1", f"--port={node.port(POSTGRES)}", "--username=postgres", DATABASE],
            env={"PGPASSFILE": str(passfile), "PATH": os.environ.get("PATH", ""), "LC_ALL": "C"},
            capture_output=True, text=True, timeout=DUMP_SECONDS, check=False)
    if done.returncode:
        # Its last line says what is wrong, with names of tables at most.
        said = done.stderr.strip().splitlines()[-1:] or ["it says nothing"]
        raise CannotBackUp(f"pg_dump 以 {done.returncode} 结束:{said[0]}",
                           f"pg_dump ended with {done.returncode}: {said[0]}")
    file.chmod(0o600)


@contextmanager
def _password(node: Node) -> Iterator[Path]:
    """A password file (never the command line); gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="jiexu-backup-") as directory:
        path = Path(directory) / "pgpass"
        write_whole(path, f"*:*:*:*:{server_of(node).password}\n", 0o600)
        yield path


def _copy_settings(node: Node, place: Path) -> None:
    place.mkdir(mode=0o700)
    for source in (node.home / "node.json", node.home / "entry.json", Path(node.directory)):
        if source.is_file():
            shutil.copyfile(source, place / source.name)


def _files(place: Path) -> list[Path]:
    return sorted(path for path in place.rglob("*") if path.is_file() and path.name != MANIFEST)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _remove(place: Path, whole: bool) -> None:
    for path in place.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    if whole:
        place.rmdir()
