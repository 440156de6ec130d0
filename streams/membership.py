"""A worker's name in its consumer group: the same after a restart, so that it gets its partitions back, and nobody else's."""

import os
import secrets
from pathlib import Path

from schemas.settings import Settings


def member_name(settings: Settings, slot: int) -> str:
    """The static member id of the worker in `slot`, without the group's name.

    Slots are numbered for each data folder alone, so the folder's own random name is part of it; a slot that an operator
    numbered (CARTSTREAM_SLOT) is unique by that.
    """
    return str(slot) if settings.slot is not None else f"{_folder_name(settings.data)}-{slot}"


def _folder_name(data: Path) -> str:
    file = data / "name"
    data.mkdir(parents=True, exist_ok=True)
    if not file.exists():
        made = data / f"name.{os.getpid()}"
        made.write_text(secrets.token_hex(4))
        try:
            os.link(made, file)  # of workers that start together one gives the name
        except FileExistsError:
            pass
        finally:
            made.unlink()
    return file.read_text()
