"""Did the tests that need a real broker and a real PostgreSQL run, and was none passed over?"""

from __future__ import annotations

import sys
import xml.etree.ElementTree as ElementTree
from collections import Counter

# Test folder → what it needs. Fewer than so many tests there means that they were not collected.
NEEDED = {"tests.broker": ("Kafka", 10), "tests.edge": ("PostgreSQL", 10),
          "tests.node": ("embedded Kafka and PostgreSQL", 10)}


def main(path: str) -> int:
    ran: Counter[str] = Counter()
    skipped: list[str] = []
    for case in ElementTree.parse(path).iter("testcase"):
        name = case.get("classname", "")
        if case.find("skipped") is not None:
            skipped.append(f"{name}::{case.get('name')}")
            continue
        for folder in NEEDED:
            if name.startswith(folder + "."):
                ran[folder] += 1
    missing = [f"{folder} ({what}): {ran[folder]} tests ran, at least {least} should"
               for folder, (what, least) in NEEDED.items() if ran[folder] < least]
    for line in [*missing, *(f"passed over: {name}" for name in skipped)]:
        print(line, file=sys.stderr)
    return 1 if missing or skipped else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
