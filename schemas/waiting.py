"""One wait for an event, with an end."""

import asyncio
import contextlib


async def until_set(event: asyncio.Event, within_s: float | None) -> None:
    """Returns when the event is set, or `within_s` have passed; None: only then. Not `asyncio.wait_for`: Python 3.11's loses a
    cancel that comes together with the event."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(within_s):
            await event.wait()
