"""What can go wrong, sorted by what the loop that meets it does.

Failure
├─ Retry         wait with jitter and try again; other stores go on, the acknowledgement waits
│    Unavailable (5xx, time-out, no answer that can be read), QuotaSpent (429)
├─ Reject        a dead letter with the reason, awaited; then acknowledge and go on
│    Undecodable (a record, body or field cannot be read), CommandRefused (Engagement's word is final)
├─ SetAside      the store's records wait until somebody mends the access
│    AccessLost (401, 403)
└─ WrongSetting  ends the command with one line that says which setting and how to mend it
anything else is a bug: it is logged and the process ends without acknowledging
"""


class Failure(Exception):
    """Base of all failures that have an answer. `str()` says what happened, to what, and holds no personal data."""


class Retry(Failure):
    """May work later. `after_s` is the least wait that the other side asked for, None where it named none."""

    def __init__(self, message: str, after_s: float | None = None) -> None:
        super().__init__(message)
        self.after_s = after_s


class Unavailable(Retry):
    """No answer, a 5xx, or an answer that cannot be read."""


class QuotaSpent(Retry):
    """429: too many requests."""


class Reject(Failure):
    """Will never work as it is. `reason` goes to the dead letter; `field` names the part that is wrong, "" for the whole."""

    def __init__(self, reason: str, field: str = "") -> None:
        super().__init__(f"{field}: {reason}" if field else reason)
        self.reason = reason
        self.field = field


class Undecodable(Reject):
    """A record, a body or one of its fields cannot be read."""


class CommandRefused(Reject):
    """Engagement refused a command for good; `reason` holds its own words."""


class SetAside(Failure):
    """A store cannot be worked for until its merchant mends something."""


class AccessLost(SetAside):
    """401 or 403: the token or key is not accepted any more."""


class WrongSetting(Failure):
    """A setting is missing or wrong; the message is one line that says which and how to mend it."""
