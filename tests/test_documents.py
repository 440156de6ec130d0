"""What a document says is held by a test is: the test exists."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def existing() -> set[str]:
    """The names of all tests and of their files."""
    files = list((ROOT / "tests").rglob("test_*.py"))
    nodes = [node for file in files for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))]
    return {file.stem for file in files} | {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


@pytest.mark.parametrize("document", sorted((ROOT / "docs").glob("*.md")), ids=lambda path: path.stem)
def test_every_test_that_a_document_names_exists(document: Path):
    named = set(re.findall(r"\btest_[a-z0-9_]+", document.read_text(encoding="utf-8")))
    assert named - existing() == set()


def test_every_settled_question_names_its_test():
    rows = re.findall(r"^\| (.+) \| (.+) \|$", (ROOT / "docs" / "settled.md").read_text(encoding="utf-8"), re.MULTILINE)
    claims = [(what, held_by) for what, held_by in rows if what not in ("what holds", "---")]
    assert len(claims) > 50
    assert [what for what, held_by in claims if not re.fullmatch(r"`test_\w+`(, `test_\w+`)*", held_by)] == []
