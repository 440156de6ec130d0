"""`cartstream demo --faults` as its user runs it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.system


def test_a_shop_under_heavy_trouble_ends_without_a_difference(kafka_folder: Path, tmp_path: Path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "kafka").symlink_to(kafka_folder.resolve())
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CARTSTREAM_")}
    environment |= {"PYTHONPATH": str(ROOT), "CARTSTREAM_DATA": str(tmp_path / "data")}
    command = [sys.executable, "-P", "-m", "ops", "demo", "--faults", "--seconds", "7", "--seed", "5", "--json"]
    ran = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=600, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    summary = json.loads(ran.stdout)
    assert (summary["differences"], summary["came_to_rest"]) == (0, True)
    faults = summary["faults"]
    killed = {name: times for name, times in faults.items() if name.endswith(" killed")}
    assert {"ingest killed", "upkeep killed", "fetch killed", "resolve killed", "deliver killed"} <= killed.keys()
    assert min(killed.values()) >= 1, faults
    assert min(faults[f"webhooks {what}"] for what in ("doubled", "delayed", "refused, and sent again")) >= 1, faults
    assert sum(times for name, times in faults.items() if name.startswith("BigCommerce")) >= 1, faults
    assert not [what for what in faults if what.endswith(" ended by itself with 70")], "a bug"
    first, second = summary["stores"]
    assert faults["webhooks dropped"] >= first["reconciled"] >= first["unheard_actions"] / 2 >= 20, faults
    assert second["reconciled"] >= 8, "all subscribers were deleted at once"
    assert faults["BigCommerce: 401, access lost"] >= 1, faults
    assert summary["away_s"] > 5, "the second store"
    assert summary["went_on"] > 20, "the first store meanwhile"
    assert " faults" in ran.stderr
