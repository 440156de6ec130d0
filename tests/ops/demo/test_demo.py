"""`cartstream demo` as its user runs it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.system
def test_a_short_demo_ends_with_a_shop_and_an_engagement_that_are_the_same(kafka_folder: Path, tmp_path: Path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "kafka").symlink_to(kafka_folder.resolve())
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CARTSTREAM_")}
    environment |= {"PYTHONPATH": str(ROOT), "CARTSTREAM_DATA": str(tmp_path / "data")}
    command = [sys.executable, "-P", "-m", "ops", "demo", "--seconds", "3", "--seed", "7", "--json"]
    ran = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=600, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    summary = json.loads(ran.stdout)
    assert (summary["seconds"], summary["seed"], summary["differences"]) == (3, 7, 0)
    assert summary["webhooks"] > 0
    assert summary["api_calls"] > 0
    first, second = summary["stores"]
    assert first["loaded"] > 5 * second["loaded"] / 2 > 250
    for store in (first, second):
        assert store["actions"] > 0
        assert store["commands"] > 0
        assert 0 < store["latency_p50_ms"] <= store["latency_p99_ms"]
        shown = {row["what"]: row for row in store["rows"]}
        assert {"customers' profiles", "orders: purchase", "carts: cart_update", "dead letters"} <= set(shown)
        assert all(row["in_shop"] == row["right"] and not row["wrong"] for row in shown.values()), shown
        assert shown["customers' profiles"]["in_shop"] > 0
        assert shown["lapsed subscribers, anonymized"]["in_shop"] > 0
    assert (first["unheard_actions"], second["unheard_actions"]) == (0, 1)
    assert second["reconciled"] >= 8, "all subscribers were deleted at once"
    assert "seed 7" in ran.stderr
