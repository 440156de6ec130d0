"""The script `cartstream` on a fresh checkout: its own .venv, made from (here empty) lock files."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    shutil.copy(ROOT / "cartstream", tmp_path)
    (tmp_path / "requirements.lock").write_text("")
    (tmp_path / "ops").mkdir()
    (tmp_path / "ops" / "__main__.py").write_text("import sys; print(*sys.argv[1:])")
    return tmp_path


def start(checkout: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [sys.executable, str(checkout / "cartstream"), *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)


def test_a_start_after_one_that_was_interrupted_makes_the_environment_anew(checkout: Path):
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", checkout / ".venv"], check=True, timeout=120)
    first = start(checkout, "lag", "--json")
    assert (first.returncode, first.stdout) == (0, "lag --json\n"), first.stderr
    second = start(checkout, "lag")
    assert (second.returncode, second.stdout, second.stderr) == (0, "lag\n", "")

    (checkout / ".venv" / "bin" / "python").unlink()  # as when the Python that it came from is gone
    third = start(checkout, "lag")
    assert (third.returncode, third.stdout) == (0, "lag\n"), third.stderr
