"""The rules of the house: who may import whom, and what stands where."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
MAY_IMPORT = {
    "schemas": set(),
    "bigcommerce": {"schemas"},
    "engagement": {"schemas"},
    "ingest": {"schemas", "bigcommerce"},
    "streams": {"schemas", "bigcommerce", "engagement"},
    "simulators": {"schemas"},
    "ops": {"schemas", "bigcommerce", "engagement", "ingest", "streams", "simulators"},
}
NO_THING = {"utils", "util", "helpers", "helper", "common", "manager", "misc"}
NOT_PURE = {
    *("aiokafka", "asyncio", "faust", "httpx", "io", "logging", "mode", "os", "pathlib", "prometheus_client", "random", "requests"),
    *("rocksdict", "secrets", "shutil", "socket", "stamina", "starlette", "structlog", "subprocess", "tempfile", "threading", "time"),
    *("urllib.request", "uuid"),
}
# Modules beside the rules that hold values only.
PURE_OF_STAGE = {"resolve": ("streams.resolve.tables",)}
CLOCKS = {"now", "utcnow", "today", "time_ns", "monotonic"}
TEXT = {".py", ".md", ".toml", ".yml", ".yaml", ".json", ".lock", ".js", ".cfg", ".txt", ".sha256", ""}
SKIPPED = {"node_modules", "__pycache__"}
# In pieces, so that this file does not hold what it looks for.
MACHINE_PATH = re.compile("/" + r"(work|home|root|Users)/[A-Za-z0-9._-]+")


def modules(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def imports(path: Path) -> Iterator[str]:
    """The full names of the modules that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name_of(path)}: a relative import"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def texts() -> list[Path]:
    """Every text file of the checkout that is ours."""
    hidden = [ROOT / ".ci", ROOT / ".gitignore", ROOT / ".dockerignore"]
    tops = [path for path in ROOT.iterdir() if not path.name.startswith(".")] + [path for path in hidden if path.exists()]
    found = [path for top in tops for path in (top.rglob("*") if top.is_dir() else [top])]
    return sorted(path for path in found if path.is_file() and path.suffix in TEXT and not SKIPPED & set(path.parts))


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_a_package_imports_only_what_it_may(package: str):
    wrong = {
        f"{name_of(path)} imports {name}"
        for path in modules(package)
        for name in imports(path)
        if (top := name.partition(".")[0]) in {*MAY_IMPORT, "tests", "bench"} and top != package and top not in MAY_IMPORT[package]
    }
    assert not wrong


def test_every_package_of_the_wheel_has_its_rule():
    declared = re.search(r"^packages = \[(.*)\]$", (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert declared
    assert set(re.findall(r'"(\w+)"', declared[1])) == set(MAY_IMPORT)


def test_a_file_is_named_for_a_thing():
    assert not [name_of(path) for path in modules(*MAY_IMPORT, "tests") if NO_THING & {path.stem, path.parent.name}]


def test_only_the_engine_knows_faust():
    users = {name_of(path) for path in modules(*MAY_IMPORT) for name in imports(path) if name.partition(".")[0] in ("faust", "mode")}
    assert users == {"streams/engine.py"}


def test_only_commands_and_simulators_that_are_started_print():
    printing = {
        name_of(path)
        for path in modules(*MAY_IMPORT)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    }
    assert not [name for name in printing if not name.startswith("ops/") and not re.fullmatch(r"simulators/\w+/__main__\.py", name)]


def test_rules_are_pure():
    rules = [path for path in modules(*MAY_IMPORT) if "rules" in path.relative_to(ROOT).parts]
    assert rules
    wrong = set()
    for path in rules:
        wrong |= {f"{name_of(path)} imports {name}" for name in imports(path) if {name, name.partition(".")[0]} & NOT_PURE}
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and node.attr in CLOCKS:
                wrong.add(f"{name_of(path)}:{node.lineno} reads a clock")
            if isinstance(node, ast.Name) and node.id in ("open", "print", "input"):
                wrong.add(f"{name_of(path)}:{node.lineno} does I/O")
            if isinstance(node, ast.AsyncFunctionDef | ast.Await):
                wrong.add(f"{name_of(path)}:{node.lineno} waits")
    assert not wrong


def test_rules_import_only_what_is_known_of_the_platforms_and_rules_of_their_own_stage():
    wrong = set()
    for path in (path for path in modules("streams") if path.parent.name == "rules"):
        stage = path.relative_to(ROOT).parts[1]
        own = (f"streams.{stage}.rules", *PURE_OF_STAGE.get(stage, ()))
        for name in imports(path):
            if (top := name.partition(".")[0]) not in MAY_IMPORT or f"{name}.".startswith(tuple(f"{module}." for module in own)):
                continue
            there = ROOT / f"{name.replace('.', '/')}.py"
            if top not in ("schemas", "bigcommerce", "engagement") or (there.exists() and NOT_PURE & set(imports(there))):
                wrong.add(f"{name_of(path)} imports {name}")
    assert not wrong


def test_nothing_is_imported_by_a_name_that_this_test_cannot_see():
    wrong = set()
    for path in modules(*MAY_IMPORT):
        wrong |= {f"{name_of(path)} imports {name}" for name in imports(path) if name in ("importlib", "importlib.import_module", "runpy")}
        wrong |= {
            f"{name_of(path)}:{node.lineno} calls {node.id}"
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.Name) and node.id in ("__import__", "exec", "eval")
        }
    assert not wrong


def test_no_file_names_a_place_on_somebodys_machine():
    found = {f"{name_of(path)}: {match[0]}" for path in texts() for match in MACHINE_PATH.finditer(path.read_text(encoding="utf-8"))}
    assert not found


def test_lock_files_hold_no_addresses():
    locks = sorted(ROOT.glob("*.lock"))
    assert locks
    for lock in locks:
        assert not re.search(r"https?:", lock.read_text()), lock.name
