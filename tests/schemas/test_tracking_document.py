import re

from schemas.tracking import EVENTS, PROFILE, tables
from schemas.tracking_document import DOCUMENT, names, with_tables

TEXT = DOCUMENT.read_text(encoding="utf-8")


def test_the_document_says_what_is_declared():
    assert with_tables(TEXT) == TEXT, "stale: run `./cartstream schemas`"


def test_every_table_stands_in_the_document_once():
    assert sorted(names(TEXT)) == sorted([*tables(), "sources"])


def test_a_declaration_that_changes_makes_the_document_stale():
    assert with_tables(TEXT.replace("| `first_name` |", "| `given_name` |")) == TEXT
    for property in (*PROFILE, *(property for event in EVENTS for property in event.properties)):
        assert f"| `{property.name}` |" in TEXT


def test_every_event_has_a_section_and_stands_in_the_overview():
    sections = re.findall(r"^## (\w+)$", TEXT, re.MULTILINE)
    assert sections == ["profile", *(event.type for event in EVENTS)]
    assert all(f"](#{section})" in TEXT for section in sections)
