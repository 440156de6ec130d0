"""What resolve tells, against what schemas/tracking.py declares."""

from functools import cache
from typing import Any

from schemas.tracking import Property, tables

TABLES = tables()


@cache
def declared(table: str, name: str) -> Property | None:
    """`bigcommerce_*` declares every name that begins so."""
    wild = [p for p in TABLES[table] if p.name.endswith("*") and name.startswith(p.name[:-1])]
    return next((p for p in TABLES[table] if p.name == name), None) or (wild[0] if wild else None)


def is_of(value: Any, type: str) -> bool:
    match type:
        case "text":
            return isinstance(value, str)
        case "whole number":
            return isinstance(value, int) and not isinstance(value, bool)
        case "time":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "yes or no":
            return isinstance(value, bool)
        case "price" | "price paid" | "number":
            return isinstance(value, float)
        case "list of text":
            return isinstance(value, list) and all(isinstance(item, str) for item in value)
        case "list of objects":
            return isinstance(value, list) and all(isinstance(item, dict) for item in value)
        case "text, number or list of text":
            return is_of(value, "text") or is_of(value, "whole number") or is_of(value, "list of text")
    raise AssertionError(type)


def undeclared(told: dict[str, list[dict[str, Any]]]) -> set[str]:
    """What is told and not declared, or not of its type. An emptied property is `""` whatever its type."""
    wrong = set()
    for table, events in told.items():
        for event in events:
            for name, value in event.items():
                found = declared(table, name) if table in TABLES else None
                if found is None or not (is_of(value, found.type) or (table == "profile" and value == "")):
                    wrong.add(f"{table}.{name} = {value!r}")
    return wrong
