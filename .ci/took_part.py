"""Did the tests that need a real broker and a real PostgreSQL run, none of them passed over?

Others may be: a container engine or another language's tools may not be at hand. They are named.
"""

from __future__ import annotations

import sys
import xml.etree.ElementTree as ElementTree
from collections import Counter

# Test folder → what it needs. Fewer than so many tests there means that they were not collected.
NEEDED = {"tests.broker": ("Kafka", 10), "tests.edge": ("PostgreSQL", 10),
          "tests.node": ("embedded Kafka and PostgreSQL", 10)}


def main(path: str) -> int:
    ran: Counter[str] = Counter()
    wrong: list[str] = []
    for case in ElementTree.parse(path).iter("testcase"):
        name = case.get("classname", "")
        if case.find("skipped") is not None:
            reason = case.find("skipped").get("message", "")
            print(f"passed over: {name}::{case.get('name')}: {reason}", file=sys.stderr)
            wrong += [name for folder in NEEDED if name.startswith(folder + ".")]
            continue
        for folder in NEEDED:
            if name.startswith(folder + "."):
                ran[folder] += 1
    wrong += [f"{folder} ({what}): {ran[folder]} tests ran, at least {least} should"
               for folder, (what, least) in NEEDED.items() if ran[folder] < least]
    for line in wrong:
        print(f"not enough: {line}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
