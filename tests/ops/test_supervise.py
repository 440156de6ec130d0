"""The supervisor with real children; small scripts stand for the parts."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import structlog

from ops import supervise
from ops.exits import DONE, FAILED, WRONG_USAGE
from ops.supervise import Child, watch_over

ROOT = Path(__file__).resolve().parents[2]
DEADLINE_S = 60


def child(script: str, *arguments: str) -> Child:
    return Child("child", [sys.executable, "-c", script, *arguments], dict(os.environ))


async def until(condition, what: str) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain until {what}"
        await asyncio.sleep(0.02)


def gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


WRITES_ITS_PID = """
import os, signal, sys, time
print(os.getpid(), file=open(sys.argv[1], "a"), flush=True)
"""
ENDS_IN_ORDER = WRITES_ITS_PID + "signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))\ntime.sleep(300)"


def lives(file: Path) -> list[int]:
    return [int(line) for line in file.read_text().split()] if file.exists() else []


async def watched(one: Child) -> tuple[asyncio.Event, asyncio.Task[int]]:
    told = asyncio.Event()
    return told, asyncio.create_task(watch_over([one], told))


async def test_a_child_that_ends_is_started_again_and_ends_in_order_when_told(tmp_path: Path):
    file = tmp_path / "lives"
    one = child(ENDS_IN_ORDER, str(file))
    told, watching = await watched(one)
    await until(lambda: len(lives(file)) == 1, "the first life began")
    os.kill(lives(file)[0], signal.SIGKILL)
    await until(lambda: len(lives(file)) == 2, "the second life began")
    told.set()
    assert await asyncio.wait_for(watching, DEADLINE_S) == DONE
    assert all(gone(pid) for pid in lives(file))


async def test_a_child_whose_assignment_ended_is_started_again_without_a_pause(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(supervise, "PAUSE_S_MAX", 3600.0)
    monkeypatch.setattr(supervise, "PAUSE_S_MIN", 3600.0)
    file = tmp_path / "lives"
    one = child(WRITES_ITS_PID + "time.sleep(1.1); sys.exit(75)", str(file))
    told, watching = await watched(one)
    await until(lambda: len(lives(file)) == 3, "the third life began")
    assert one.ends == {75: 2}
    told.set()
    assert await asyncio.wait_for(watching, DEADLINE_S) == DONE


async def test_a_pause_between_lives_ends_when_told_to_stop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(supervise, "PAUSE_S_MIN", 3600.0)
    file = tmp_path / "lives"
    with structlog.testing.capture_logs() as lines:
        told, watching = await watched(child(WRITES_ITS_PID + "sys.exit(70)", str(file)))
        await until(lambda: [line for line in lines if line.get("exit_code") == 70], "the pause began")
    told.set()
    assert await asyncio.wait_for(watching, DEADLINE_S) == DONE
    assert len(lives(file)) == 1


async def test_one_child_with_a_wrong_setting_ends_them_all(tmp_path: Path):
    file = tmp_path / "lives"
    wrong = child("import sys; sys.exit(2)")
    assert await asyncio.wait_for(watch_over([child(ENDS_IN_ORDER, str(file)), wrong], asyncio.Event()), DEADLINE_S) == WRONG_USAGE
    assert all(gone(pid) for pid in lives(file))


async def test_a_child_that_does_not_end_is_killed_with_all_that_it_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(supervise, "STOP_S_MAX", 0.5)
    file = tmp_path / "lives"
    deaf = WRITES_ITS_PID + "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    script = deaf + "if os.fork() == 0:\n  print(os.getpid(), file=open(sys.argv[1], 'a'), flush=True)\ntime.sleep(300)"
    told, watching = await watched(child(script, str(file)))
    await until(lambda: len(lives(file)) == 2, "both processes ran")
    told.set()
    assert await asyncio.wait_for(watching, DEADLINE_S) == FAILED
    await until(lambda: all(gone(pid) for pid in lives(file)), "both were gone")


async def test_children_are_ended_one_after_the_other(tmp_path: Path):
    file, order = tmp_path / "lives", tmp_path / "order"
    script = WRITES_ITS_PID + (
        "def end(*_):\n  print(sys.argv[2], file=open(sys.argv[3], 'a'), flush=True); time.sleep(0.3); sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, end); print(0, file=open(sys.argv[1] + '.up' + sys.argv[2], 'w')); time.sleep(300)"
    )
    children = [child(script, str(file), str(number), str(order)) for number in range(3)]
    told = asyncio.Event()
    watching = asyncio.create_task(watch_over(children, told))
    await until(lambda: all(Path(f"{file}.up{number}").exists() for number in range(3)), "all were up")
    told.set()
    assert await asyncio.wait_for(watching, DEADLINE_S) == DONE
    assert order.read_text().split() == ["0", "1", "2"]


def test_a_part_whose_parent_is_killed_ends_with_all_that_it_started(tmp_path: Path):
    """The part's own way of ending (`ops.part.end_with_parent`), in a child of a parent that is killed with -9."""
    part = tmp_path / "part.py"
    part.write_text(
        "import os, sys, threading, time\nfrom ops.part import end_with_parent\n"
        "threading.Thread(target=end_with_parent, daemon=True).start()\n"
        "os.fork()\nprint(os.getpid(), file=open(sys.argv[1], 'a'), flush=True)\ntime.sleep(300)"
    )
    parent = (
        "import asyncio, os, sys\nfrom ops.supervise import Child\n"
        "asyncio.run(Child('c', [sys.executable, sys.argv[1], sys.argv[2]], dict(os.environ)).keep_running())"
    )
    file = tmp_path / "lives"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    process = subprocess.Popen([sys.executable, "-c", parent, str(part), str(file)], env=environment)
    try:
        deadline = time.monotonic() + DEADLINE_S
        while len(lives(file)) < 2 and time.monotonic() < deadline:
            time.sleep(0.02)
        assert len(lives(file)) == 2
    finally:
        process.kill()
        process.wait()
    while not all(gone(pid) for pid in lives(file)):
        assert time.monotonic() < deadline + DEADLINE_S, "the part outlived its parent"
        time.sleep(0.02)
