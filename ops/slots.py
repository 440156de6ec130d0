"""A worker's slot: its number for static membership and its data folder, held by one process at a time."""

import fcntl
import os
import time
from dataclasses import dataclass
from pathlib import Path

from schemas.failures import WrongSetting

SLOTS_MAX = 1000
WAIT_S = 10.0  # for a slot asked for by number: whoever held it may be ending just now


@dataclass(frozen=True)
class Slot:
    """A slot that is ours for as long as `lock`, a file descriptor, is open here or in a child that inherited it."""

    stage: str
    number: int
    lock: int

    def release(self) -> None:
        os.close(self.lock)


def claim(data: Path, stage: str, number: int | None) -> Slot:
    """The slot `number` of a stage, None for the first that is free. Raises WrongSetting where somebody holds it, or it cannot be made."""
    if number is None:
        for candidate in range(SLOTS_MAX):
            if slot := _try(data, stage, candidate):
                return slot
        raise WrongSetting(f"CARTSTREAM_DATA: all {SLOTS_MAX} slots in {data / stage} are held")
    deadline = time.monotonic() + WAIT_S
    while not (slot := _try(data, stage, number)):
        if time.monotonic() > deadline:
            raise WrongSetting(f"CARTSTREAM_SLOT: slot {number} of {stage} is held by another process; stop that one, or leave it unset")
        time.sleep(0.1)
    return slot


def _try(data: Path, stage: str, number: int) -> Slot | None:
    folder = data / stage / str(number)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT)
    except OSError as error:
        raise WrongSetting(f"CARTSTREAM_DATA: {folder} cannot be made ({error.strerror}); name a folder to write to") from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    return Slot(stage, number, lock)
