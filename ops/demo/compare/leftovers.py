"""What has no reason to be there. The last to look: the others have told what they know of."""

from ops.demo.compare.held import Held
from ops.demo.compare.rows import Row
from ops.demo.compare.shop import Shop

ENGAGEMENTS_OWN = "merge"


def leftovers(shop: Shop, held: Held) -> Row:
    """Every profile and every event is looked at once."""
    row = Row("nothing that should not be there")
    known = {"subscriber_id": shop.subscribers, "cart_id": shop.carts}
    for profile in held.profiles:
        strange = sorted(f"{kind} {id}" for kind, id in profile.ids if kind in known and id not in known[kind])
        reason = "" if profile in held.explained else f"nobody is behind it ({', '.join(map(' '.join, sorted(profile.ids)))})"
        row.check(profile.name, reason or (f"bears {', '.join(strange)}, which the shop does not know" if strange else ""))
        for event in profile.events:
            told = event.told or event.type == ENGAGEMENTS_OWN
            row.check(f"{profile.name}: {event}", "" if told else "nothing in the shop caused it")
    return row
