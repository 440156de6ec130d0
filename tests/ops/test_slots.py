import os
import subprocess
import sys
from pathlib import Path

import pytest

from ops import slots
from schemas.failures import WrongSetting


def test_workers_of_one_stage_get_slots_of_their_own_and_a_freed_one_is_taken_first(tmp_path: Path):
    first, second = slots.claim(tmp_path, "fetch", None), slots.claim(tmp_path, "fetch", None)
    other_stage = slots.claim(tmp_path, "deliver", None)
    assert (first.number, second.number, other_stage.number) == (0, 1, 0)
    first.release()
    again = slots.claim(tmp_path, "fetch", None)
    assert again.number == 0
    for slot in (second, other_stage, again):
        slot.release()


def test_a_slot_that_is_held_cannot_be_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(slots, "WAIT_S", 0.0)
    held = slots.claim(tmp_path, "fetch", 3)
    with pytest.raises(WrongSetting, match="CARTSTREAM_SLOT: slot 3 of fetch is held"):
        slots.claim(tmp_path, "fetch", 3)
    held.release()
    slots.claim(tmp_path, "fetch", 3).release()


def test_a_data_folder_that_cannot_be_made_is_a_wrong_setting():
    with pytest.raises(WrongSetting, match=r"^CARTSTREAM_DATA: /proc/nowhere/fetch/0 cannot be made"):
        slots.claim(Path("/proc/nowhere"), "fetch", None)


def test_a_slot_stays_held_while_a_child_that_inherited_it_lives(tmp_path: Path):
    slot = slots.claim(tmp_path, "fetch", None)
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=[slot.lock])
    slot.release()
    other = slots.claim(tmp_path, "fetch", None)
    assert other.number == 1
    other.release()
    child.communicate(b"\n", timeout=30)
    again = slots.claim(tmp_path, "fetch", None)
    assert again.number == 0
    again.release()
    assert not os.path.exists(tmp_path / "fetch" / "2")
