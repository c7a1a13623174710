"""How are the figures told? A table for the reader, a JSON document for everything else."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.frame import Result
from node.layout import write_whole


def document(
    results: Sequence[Result],
    machine: Mapping[str, Any],
    durability: Mapping[str, Any],
    *,
    quick: bool,
    began_at: str,
    seconds: float,
) -> dict[str, Any]:
    """Everything that was seen; each measure carries machine and durability with it.

    Reaches are meant for full sizes: what was measured small is not judged.
    """
    judged = {"met": None} if quick else {}
    return {
        "began_at": began_at,
        "seconds": round(seconds),
        "quick": quick,
        "measures": [
            result.row() | judged | {"machine": dict(machine), "durability": dict(durability)}
            for result in results
        ],
    }


def write(path: Path, found: Mapping[str, Any]) -> None:
    """The JSON document, whole or not at all."""
    write_whole(path, json.dumps(found, indent=2, ensure_ascii=False) + "\n")


def show(results: Sequence[Result], console: Console, *, judged: bool) -> None:
    """The table: what it is, ours, the reference, their ratio, what it should reach."""
    table = Table(show_lines=True)
    for header in ("measure", "ours", "reference", "ratio", "reach", "met"):
        table.add_column(header, justify="left" if header == "measure" else "right")
    for result in results:
        row = result.row()
        about = [result.measure.name]
        if result.measure.reference:
            about.append(f"beside {result.measure.reference}")
        if result.note:
            about.append(result.note)
        if result.not_run:
            about.append(f"not run: {result.not_run}")
        table.add_row(
            "\n".join(about),
            _figure(row["ours"], result.measure.unit),
            _figure(row["reference"], ""),
            _figure(row["ratio"], ""),
            row["reach"],
            {True: "yes", False: "no", None: "–"}[result.met if judged else None],
        )
    console.print(table)


def _figure(value: float | None, unit: str) -> str:
    return "–" if value is None else f"{value:,.4g} {unit}".strip()
