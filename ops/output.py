"""What commands print: results on stdout (a table, or JSON), talk on stderr."""

import json
import os
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

NUMBERS = {
    "partitions",
    "replication",
    "partition",
    "records",
    "seconds",
    "in/s",
    "out/s",
    "clear in",
    "times",
    "behind",
    "loaded",
    "of",
    "a second",
    "how many",
    "customer",
    "subscriber",
    "order",
    "product",
}


def say(line: str) -> None:
    """One line of talk, on stderr."""
    print(line, file=sys.stderr, flush=True)


def console() -> Console:
    """stdout; nothing is cut to a width where nobody has said how wide it is."""
    wide = sys.stdout.isatty() or "COLUMNS" in os.environ
    return Console(width=None if wide else 10_000, highlight=False, soft_wrap=False)


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], styles: dict[str, str] | None = None) -> Table:
    """A table; numbers to the right, a cell's style by its text."""
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for name in columns:
        made.add_column(name, justify="right" if name in NUMBERS else "left", overflow="fold", no_wrap=name in NUMBERS)
    for row in rows:
        made.add_row(*(Text("" if cell is None else str(cell), style=(styles or {}).get(str(cell), "")) for cell in row))
    return made


def show(*parts: RenderableType) -> None:
    """Prints tables and texts on stdout."""
    console().print(Group(*parts))


def show_json(value: Any) -> None:
    """Prints one JSON value on stdout."""
    print(json.dumps(value, indent=2, ensure_ascii=False), flush=True)


def show_json_line(value: Any) -> None:
    """Prints one JSON value on one line of stdout, for who reads a stream of them."""
    print(json.dumps(value, ensure_ascii=False), flush=True)
