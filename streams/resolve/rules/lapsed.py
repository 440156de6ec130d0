"""Who has lapsed: a subscriber without an account who has consented to nothing for long."""

from streams.resolve.rules.consent import CATEGORIES
from streams.resolve.rules.persons import MAIN
from streams.resolve.tables import Profile

DAY_MS = 24 * 60 * 60 * 1000
_NEWSLETTER = CATEGORIES["marketing_newsletter"]


def lapsed(row: Profile, at_ms: int, days: int) -> bool:
    """Whether, at that time, the profile with the row's `email_id` is a subscriber's who has no account and consents to no newsletter,
    and no consent of it is younger than so many days.

    Only a subscription makes consents, so one without any is a guest's, who never lapses.
    """
    person = row.persons.get(MAIN)
    if person is None or not person.consents or row.bears or any(account.person == MAIN for account in row.accounts.values()):
        return False
    newsletter = person.consents.get(_NEWSLETTER)
    if newsletter is not None and newsletter.action == "accept":
        return False
    return max(consent.at_ms for consent in person.consents.values()) < at_ms - days * DAY_MS
