"""How much and how often we send. Source: docs/facts/engagement.md 2.6."""

COMMANDS_PER_BATCH_MAX = 50  # documented
BATCH_BYTES_MAX = 4_000_000  # of the commands' data; no limit is documented, peers stay below 30 MB
ITEMS_PER_CALL_MAX = 1_000  # of a catalog; peers stay below 5,000 and 10 MB
REQUESTS_PER_S_MAX = 80.0  # documented is 100 a second per address of the caller, which other processes share
BURST = 8
VALUE_BYTES_MAX = 16_000  # documented: one property is shorter than 16 kB


class Pace:
    """At most `per_s` requests a second to one host, after a pause `BURST` at once. Pure: the time is given."""

    def __init__(self, per_s: float = REQUESTS_PER_S_MAX) -> None:
        self._each_s = 1 / per_s
        self._next_s = float("-inf")  # when the next request is due at an even pace

    def start(self, now_s: float) -> float:
        """0: a request may start, and is counted. Otherwise the seconds to wait; nothing is counted."""
        due_s = max(self._next_s, now_s)
        wait_s = due_s - now_s - (BURST - 1) * self._each_s
        if wait_s > 0:
            return wait_s
        self._next_s = due_s + self._each_s
        return 0.0
