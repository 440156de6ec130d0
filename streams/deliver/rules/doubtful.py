"""What an earlier life may have sent without a commit: Engagement is asked before a consent among it is sent again."""

from schemas.committed import Committed, tenant_of


class Doubtful:
    """Of one partition since it was assigned."""

    def __init__(self, committed: Committed, end: int, ahead_max: int | None) -> None:
        """`end` is the partition's then.

        ahead_max: so many records at most were taken beyond a position, the partition's or a tenant's own. None: any number.
        """
        self._committed = committed.offset
        self._before = end if ahead_max is None else min(end, committed.offset + ahead_max)
        self._left = {} if ahead_max is None else dict.fromkeys(committed.apart, ahead_max)

    def is_doubtful(self, offset: int, lane: str) -> bool:
        """To be asked once for each record that is taken."""
        tenant = tenant_of(lane)
        if offset >= self._committed or tenant not in self._left:
            return offset < self._before
        self._left[tenant] -= 1
        return self._left[tenant] >= 0
