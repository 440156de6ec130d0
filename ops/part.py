"""One part's process: `python -P -m ops.part NAME SLOT`, started and watched over by `ops/supervise.py`."""

import os
import signal
import sys
import threading

import structlog

from ops import environment, logs
from ops.exits import UNEXPECTED, code_of
from schemas.failures import Failure
from schemas.settings import Settings

log = structlog.get_logger()


def run(name: str, settings: Settings, slot: int) -> int:
    """The part's life; its exit code."""
    match name:
        case "ingest":
            from ingest.app import main as ingest

            return ingest(settings)
        case "upkeep":
            from ingest.upkeep import main as upkeep
            from ops.lapse import anonymize_lapsed

            return upkeep(settings, slot, jobs=[anonymize_lapsed])
        case "fetch":
            from streams.fetch.app import main as fetch

            return fetch(settings, slot)
        case "resolve":
            from streams.resolve.app import main as resolve

            return resolve(settings, slot)
        case "deliver":
            from streams.deliver.app import main as deliver

            return deliver(settings, slot)
        case _:
            raise ValueError(name)


def end_with_parent() -> None:
    """Blocks until stdin closes, which is when our parent is gone; then ends this process and all that it started.

    At once: whatever a part does is safe to be killed in, and one without a parent would hold its slot, its port and its
    place in the consumer group against the one that comes after it.
    """
    while os.read(0, 1024):
        pass
    os.killpg(os.getpgid(0), signal.SIGKILL)


def main(name: str, slot: int) -> int:
    threading.Thread(target=end_with_parent, daemon=True).start()
    logs.configure(part=name) if name == "ingest" else logs.configure(part=name, slot=slot)
    try:
        return run(name, environment.load(), slot)
    except Failure as error:
        log.error(str(error))
        return code_of(error)
    except Exception:
        log.exception("a bug: the process ends without acknowledging")
        return UNEXPECTED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2])))
