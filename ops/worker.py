"""`worker STAGE`: one worker in its slot, watched over."""

import asyncio

from ops import environment, logs, slots, supervise
from schemas.settings import Settings


def main(settings: Settings, stage: str) -> int:
    """Runs until told to end; the worker's process is started again whenever it ends. Raises WrongSetting."""
    logs.configure(part=f"worker {stage}")
    slot = slots.claim(settings.data, stage, settings.slot)
    try:
        return asyncio.run(_run(settings, slot))
    finally:
        slot.release()


async def _run(settings: Settings, slot: slots.Slot) -> int:
    told = supervise.stop_signal()
    child = supervise.part(slot.stage, environment.for_children(settings), slot)
    return await supervise.watch_over([child], told)
