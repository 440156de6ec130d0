import json
import subprocess
import sys

from tests.ops.conftest import ROOT

SCRIPT = """
import logging, structlog
from ops import logs
logs.configure(part="fetch")
structlog.get_logger().info("took a group", ids=3)
logging.getLogger("library").warning("says %s", "something")
logging.getLogger("httpx").info("GET https://example.com/?email=jane@example.com")
secret = "t0ps3cret"
try:
    raise ValueError("broken")
except ValueError:
    structlog.get_logger().exception("a bug")
"""


def test_log_lines_are_json_on_stderr_and_hold_no_local_variables():
    ran = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=60, cwd=ROOT, check=True)
    assert ran.stdout == ""
    lines = [json.loads(line) for line in ran.stderr.splitlines()]
    assert [line["event"] for line in lines] == ["took a group", "says something", "a bug"]
    assert {line["part"] for line in lines} == {"fetch"}
    assert lines[0]["ids"] == 3
    assert "ValueError: broken" in lines[2]["exception"]
    assert "t0ps3cret" not in ran.stderr
    assert "jane@example.com" not in ran.stderr
