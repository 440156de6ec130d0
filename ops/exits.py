"""Exit codes of the command line and of the parts."""

from schemas.failures import Failure, Retry, WrongSetting

DONE = 0
FAILED = 1
WRONG_USAGE = 2  # also a wrong setting: starting again would change nothing
NOT_REACHABLE = 3
UNEXPECTED = 70  # a bug
START_AGAIN = 75  # a part asks for a new life at once: its assignment ended


def code_of(error: Failure) -> int:
    """The exit code of a command that ends with this failure."""
    if isinstance(error, WrongSetting):
        return WRONG_USAGE
    return NOT_REACHABLE if isinstance(error, Retry) else FAILED
