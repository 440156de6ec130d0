"""What the shop holds against what Engagement holds, row by row of what is tracked. Pure; shares no code with what it judges.

From the shop's history follows what may stand where; every event and profile for which that is so has its reason, and what has
none should not be there.

shop.py       what was when in the shop
held.py       what Engagement holds, and what of it has its reason
owners.py     whose a fact is: which profiles an account or an e-mail can mean at a time
lapsed.py     subscribers who are ended by a daily run
people.py     accounts, deleted people, people known by their e-mail alone
consents.py   subscribers' consents
orders.py     purchase, purchase_item, order_update
carts.py      cart_update
catalogs.py   items of products and variants
leftovers.py  what has no reason to be there
"""

from collections.abc import Sequence

from ops.demo.compare.carts import carts
from ops.demo.compare.catalogs import catalogs
from ops.demo.compare.consents import consents
from ops.demo.compare.held import Held, Json
from ops.demo.compare.lapsed import Lapse, anonymized, lapsed
from ops.demo.compare.leftovers import leftovers
from ops.demo.compare.orders import orders
from ops.demo.compare.owners import Owners
from ops.demo.compare.people import people
from ops.demo.compare.rows import Row
from ops.demo.compare.shop import Shop, Unheard

__all__ = ["Lapse", "Row", "Unheard", "compare"]

SLACK_S = 2.0  # the shop's times have whole seconds, and reads lag


def compare(
    shop: Json, engagement: Json, dead_letters: int, unread_s: float, unheard: Sequence[Unheard] = (), lapse: Lapse | None = None
) -> list[Row]:
    """`shop` is one store of the simulator's state, `engagement` the project's; a row for each thing that is tracked.

    A state of the shop that stood longer than `unread_s` was read, counted in times `unheard` from their reading on; one that stood
    shorter may have come and gone. Facts of two kinds that are closer than that may have been met in either order.
    """
    life, held = Shop(shop, unread_s + SLACK_S, unheard), Held(engagement)
    ended = lapsed(life, lapse)
    owners = Owners(life, ended)
    rows = [
        *people(life, held, owners),
        anonymized(ended, held),
        *consents(life, held, owners),
        *orders(life, held, owners),
        carts(life, held, owners),
        *catalogs(shop, engagement),
        leftovers(life, held),
    ]
    clashes, letters = Row("hard ids that clash"), Row("dead letters")
    for conflict in engagement["conflicts"]:
        clashes.check(str(conflict), "a clash")
    if dead_letters:
        letters.check("dead-letters", f"{dead_letters} records could not be processed")
    return [*rows, clashes, letters]
