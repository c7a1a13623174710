"""How is the story told to the two cities of docker-compose.yml?

The teller stays outside and speaks to published ports, as anybody does. Of what lies inside it
takes what a trial's teller may know: the key that signs tokens, and the signed directory.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from node import topics
from node.demo import cities
from node.demo.cast import Story
from node.demo.cities import CODES, City
from node.keys import write_secret
from node.layout import API, Body, Node, write_whole
from node.making import OFFICE
from node.members import PROJECT
from node.terminal import Exit, Failure, out, say

DATA = Path("data") / "compose"
# Built, started for the first time and provisioned, on two busy cores.
UP_SECONDS = 900
ASK_SECONDS = 60


class Compose:
    """Both cities in containers; they stay when the story is told, for whoever started them."""

    def __init__(self, data: Path) -> None:
        self.data = data

    def begin(self) -> tuple[City, City]:
        """Bring them up where they are not yet.

        Raises ``Failure`` (also where they know people already), ``NotOurs``, ``StillRuns``.
        """
        cities.clear(self.data)
        out().print(say("docker compose up:首次须先制作镜像", "docker compose up: the first time "
                                                       "it builds the image"))
        compose("up", "--detach", "--build", "--wait", "--wait-timeout", str(UP_SECONDS),
                shown=True)
        first, second = (self.city(*names) for names in CODES)
        for city in (first, second):
            if topics.on_broker(city.node)["registry.volunteers.v1"]["end"]:
                raise Failure(
                    Exit.NODE_STATE, "这两座城市已有志愿者;docker compose down -v 清空后可从头再讲",
                    "these cities know volunteers already; after docker compose down -v the story "
                    "can be told from its beginning")
        return first, second

    def welcome(self, story: Story) -> None:
        """Their containers are read-only: the pages at / stay as they are."""

    def logs(self) -> str:
        """Where to read what went wrong."""
        return "docker compose logs"

    def last_words(self) -> str:
        """What to try now."""
        return say(
            f"\n试试:JIEXU_DATA={self.data} .venv/bin/jiexu events tail -n 500000(token、import、"
            "export …);docker compose down 结束,加 -v 清空",
            f"\ntry: JIEXU_DATA={self.data} .venv/bin/jiexu events tail -n 500000 (token, import, "
            "export …); docker compose down ends the cities, with -v it forgets them")

    def stay(self) -> None:
        """They run without us."""

    def end(self) -> None:
        """They are not ours to stop."""

    def city(self, code: str, zh: str, en: str) -> City:
        """The node as we see it from outside; its services never read what we write here."""
        name = en.lower()
        port = int(compose("port", f"{name}-registry-api", "8000").rpartition(":")[2])
        transfer = f"{name}-transfer-api"
        directory = self.data / OFFICE / "directory.json"
        write_whole(directory, inside(transfer, "/run/jiexu/directory/directory.json"))
        home = self.data / code
        key = home / "keys" / "registry" / "token.key"
        key.parent.mkdir(parents=True, mode=0o700)
        write_secret(key, inside(f"{name}-registry-api", "/run/jiexu/keys/token.key").encode())
        node = Node(
            home=home, code=code, name_zh=zh, name_en=en, base_port=port - API["registry"],
            body=Body(organisation_id=f"{code}-office", name=f"{zh}市志愿服务指导中心"),
            directory=str(directory), allow_private_peers=True,
            directory_keys=tuple(inside(transfer, "/run/jiexu/directory/key").strip().split(",")))
        node.save()
        return City(node)


def inside(service: str, path: str) -> str:
    """A file of a service's container."""
    return compose("exec", "--no-TTY", service, "cat", path)


def compose(*arguments: str, shown: bool = False) -> str:
    """What ``docker compose …`` printed; ``shown`` to the person instead. Raises ``Failure``."""
    command = ["docker", "compose", *arguments]
    try:
        done = subprocess.run(
            command, cwd=PROJECT, check=True, text=True,
            stdin=subprocess.DEVNULL, timeout=UP_SECONDS + ASK_SECONDS if shown else ASK_SECONDS,
            stdout=None if shown else subprocess.PIPE, stderr=None if shown else subprocess.PIPE)
    except FileNotFoundError:
        raise Failure(Exit.UNAVAILABLE, "没有找到 docker 命令:请先安装 Docker Engine 和 Compose",
                      "there is no docker command: install Docker Engine and Compose") from None
    except subprocess.TimeoutExpired:
        raise Failure(Exit.UNAVAILABLE, f"{' '.join(command)} 超时",
                      f"{' '.join(command)} took too long") from None
    except subprocess.CalledProcessError as problem:
        told = "" if shown else f": {problem.stderr.strip()}"
        raise Failure(Exit.UNAVAILABLE, f"{' '.join(command)} 未成功{told}",
                      f"{' '.join(command)} did not succeed{told}") from None
    return "" if shown else done.stdout
