"""What stands between a process that is not a member any more and what it would still send."""


class Fenced(Exception):
    """Another process may own our partitions by now: nothing may be sent any more."""
