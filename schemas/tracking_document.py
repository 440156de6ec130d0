"""docs/tracking.md: its tables are made of schemas/tracking.py, between marks that no reader sees; all else in it is written by hand.

`cartstream schemas` writes the tables anew; a test fails where they are stale.
"""

import json
import re
from pathlib import Path

from schemas.tracking import ALWAYS, DEAD_LETTER, LEFT_OUT, SOURCES, Property, tables

DOCUMENT = Path(__file__).parent.parent / "docs" / "tracking.md"
_block = re.compile(r"(<!-- table: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def main() -> Path:
    """Writes the document's tables anew."""
    DOCUMENT.write_text(with_tables(DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")
    return DOCUMENT


def with_tables(text: str) -> str:
    """`text` with each marked table as the declarations say it. Raises KeyError for a mark that names none."""
    made = {name: _table(name, properties) for name, properties in tables().items()} | {"sources": _sources()}
    return _block.sub(lambda found: f"{found[1]}\n{made[found[2]]}\n\n{found[3]}", text)


def names(text: str) -> list[str]:
    """The tables that `text` has marks for."""
    return [found[2] for found in _block.finditer(text)]


def _table(name: str, properties: tuple[Property, ...]) -> str:
    what = "id" if name == "ids" else "property"
    rows = [f"| {what} | type | from | if missing | example | |", "| --- | --- | --- | --- | --- | --- |"]
    return "\n".join(rows + [_row(property) for property in properties])


def _row(property: Property) -> str:
    source = ", ".join(f"`{path}`" for path in property.source) or "set by cartstream"
    missing = property.missing if property.missing in (LEFT_OUT, DEAD_LETTER, ALWAYS) else f"`{property.missing}`"
    example = f"`{json.dumps(property.example, ensure_ascii=False)}`"
    return f"| `{property.name}` | {property.type} | {source} | {missing} | {example} | {property.note} |"


def _sources() -> str:
    return "\n".join(["| | |", "| --- | --- |", *(f"| `{name}` | {what} |" for name, what in SOURCES.items())])
