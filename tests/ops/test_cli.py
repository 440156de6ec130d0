import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.ops.conftest import ROOT, Run

COMMANDS = ["demo", "up", "ingest", "worker", "topics", "store", "backfill", "lag", "dead-letters", "doctor", "schemas"]


def test_help_names_every_command(run: Run):
    ran = run("--help")
    assert ran.code == 0
    assert all(command in ran.out for command in COMMANDS)


@pytest.mark.parametrize("command", [[], *[[command] for command in COMMANDS], ["store", "add"], ["dead-letters", "list"]])
def test_every_command_has_help(run: Run, command: list[str]):
    ran = run(*command, "--help")
    assert ran.code == 0
    assert "Usage: cartstream" in ran.out


def test_help_loads_nothing_that_is_slow():
    script = "import sys, ops.cli; print([name for name in ('aiokafka', 'pydantic', 'httpx', 'faust', 'rich.live') if name in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, cwd=ROOT, check=True)
    assert ran.stdout == "[]\n"


def test_schemas_writes_the_generated_files_anew(tmp_path: Path):
    for package in ("schemas", "ops"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "docs").mkdir()
    shutil.copy(ROOT / "docs" / "tracking.md", tmp_path / "docs")

    def generated() -> dict[Path, bytes]:
        paths = [*sorted((tmp_path / "schemas").rglob("*.json")), tmp_path / "docs" / "tracking.md"]
        return {path.relative_to(tmp_path): path.read_bytes() for path in paths}

    there = generated()
    (tmp_path / "schemas" / "asyncapi.json").write_text("stale")
    (tmp_path / "schemas" / "json" / "store.json").unlink()
    (tmp_path / "schemas" / "json" / "of-no-message.json").write_text("{}")
    command = [sys.executable, "-P", "-m", "ops", "schemas"]
    ran = subprocess.run(command, env=os.environ | {"PYTHONPATH": str(tmp_path)}, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stderr
    assert set(ran.stdout.split()) == {str(tmp_path / path) for path in there}
    assert generated() == there


def test_wrong_usage_ends_with_2(run: Run):
    for wrong in (["nonsense"], ["worker"], ["worker", "nonsense"], ["store", "add"], ["lag", "--nonsense"]):
        assert run(*wrong).code == 2


def test_a_wrong_setting_is_one_line_that_names_it(run: Run):
    for command in (["topics"], ["up"], ["ingest"], ["worker", "fetch"], ["store", "list"], ["backfill", "--status"], ["lag"], ["doctor"]):
        ran = run(*command, partitions="many")
        assert ran.code == 2
        assert ran.err.startswith("cartstream: CARTSTREAM_PARTITIONS: ")
        assert len(ran.err.splitlines()) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"listen": "localhost:8080"},
        {"kafka": "127.0.0.1:99999"},
        {"kafka_ca": "nowhere.pem", "kafka_security": "SSL"},
        {"data": "/dev/null/data"},
        {"partition": "5"},
    ],
    ids=str,
)
def test_no_wrong_setting_ends_up_in_a_traceback(run: Run, wrong: dict[str, str]):
    ran = run("up", **wrong)
    assert ran.code == 2
    assert ran.err.startswith(f"cartstream: CARTSTREAM_{next(iter(wrong)).upper()}: ")
    assert len(ran.err.splitlines()) == 1


def test_kafka_that_is_away_ends_with_3_and_one_line(run: Run):
    for command in (["topics"], ["up"], ["store", "list"], ["lag"], ["dead-letters", "list"]):
        ran = run(*command, kafka="127.0.0.1:1")
        assert ran.code == 3, command
        assert [line for line in ran.err.splitlines() if line.startswith("cartstream: ")], ran.err
        assert "Traceback" not in ran.err
