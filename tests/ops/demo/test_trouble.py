"""What a run says of its troubles, and that parts are killed in turn."""

import subprocess
import sys
import time

from ops.demo.trouble import Killer, counted, ended


class Part:
    """A process that sleeps; it is started again when `again` is called."""

    def __init__(self) -> None:
        self.again()

    def again(self) -> None:
        self.process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])

    @property
    def pid(self) -> int | None:
        return self.process.pid if self.process.poll() is None else None


def test_the_parts_are_killed_in_turn_and_one_that_does_not_run_is_waited_for():
    parts = {"ingest": Part(), "fetch": Part()}
    try:
        killer = Killer(parts, every_s=0.01)  # type: ignore[arg-type]
        for expected in ({"ingest": 1, "fetch": 0}, {"ingest": 1, "fetch": 1}):
            time.sleep(0.02)
            killer.act()
            assert killer.killed == expected
        for part in parts.values():
            assert part.process.wait(30) == -9
        time.sleep(0.02)
        killer.act()
        assert killer.killed == {"ingest": 1, "fetch": 1}
        parts["ingest"].again()
        killer.act()
        assert killer.killed == {"ingest": 2, "fetch": 1}
    finally:
        for part in parts.values():
            part.process.kill()
            part.process.wait(30)


def test_what_went_wrong_is_counted_without_what_befell_the_other_app():
    shop = {
        "webhooks": {"duplicated": 3, "delayed": 4, "retries": 5},
        "faults": {"GET /v2/store quota": 7, "GET /v3/customers quota": 1, "GET /v2/orders quota": 2, "GET /v2/orders hang": 6},
        "stale_reads": 8,
        "calls": {"GET /v3/customers 401": 6, "GET /v3/customers 200": 5, "GET /v2/orders 401": 1},
    }
    found = counted(shop, {"429": 1, "500": 2, "503 applied": 3, "slow": 1, "slow applied": 1, "drop": 4}, {"fetch": 9})
    assert {name: times for name, times in found.items() if times} == {
        "webhooks doubled": 3,
        "webhooks delayed": 4,
        "webhooks refused, and sent again": 5,
        "BigCommerce: stale reads": 8,
        "BigCommerce: 429, quota spent": 3,
        "BigCommerce: no answer in time": 6,
        "BigCommerce: 401, access lost": 7,
        "Engagement: 429": 1,
        "Engagement: 5xx": 5,
        "Engagement: no answer in time": 2,
        "Engagement: connections dropped": 4,
        "fetch killed": 9,
    }


def test_a_part_that_ended_by_itself_is_told_from_one_that_was_killed():
    assert ended({"fetch": {-9: 3, 70: 1}, "ingest": {}}) == {"fetch ended by itself with 70": 1}
