"""How much and how often we send. Source: docs/facts/engagement.md 2.6."""

COMMANDS_PER_BATCH_MAX = 50  # documented
BATCH_BYTES_MAX = 4_000_000  # of the commands' data; no limit is documented, peers stay below 30 MB
ITEMS_PER_CALL_MAX = 1_000  # of a catalog; peers stay below 5,000 and 10 MB
REQUESTS_PER_S_MAX = 80.0  # documented is 100 a second per address of the caller, which other processes share
BURST = 8
VALUE_BYTES_MAX = 16_000  # documented: one property is shorter than 16 kB


class Pace:
    """At most `per_s` requests a second, after a pause `burst` at once. Pure: the time is given."""

    def __init__(self, per_s: float = REQUESTS_PER_S_MAX, burst: int = BURST) -> None:
        self._each_s, self._burst = 1 / per_s, burst
        self._next_s = float("-inf")  # when the next request is due at an even pace

    def wait_s(self, now_s: float) -> float:
        """The seconds until a request may start; nothing is counted."""
        return max(0.0, self._next_s - now_s - (self._burst - 1) * self._each_s)

    def start(self, now_s: float) -> float:
        """0: a request may start, and is counted. Otherwise the seconds to wait; nothing is counted."""
        wait_s = self.wait_s(now_s)
        if wait_s == 0:
            self._next_s = max(self._next_s, now_s) + self._each_s
        return wait_s
