"""The demo's life is the same again for the same seed, nothing in it is refused, and all that can happen happens."""

import itertools
from collections import Counter

import msgspec
import pytest

import simulators.bigcommerce.carts
import simulators.bigcommerce.customers
import simulators.bigcommerce.orders
import simulators.bigcommerce.products  # noqa: F401 - what happens to a shop registers itself
from ops.demo.shop_life import ShopLife
from simulators.bigcommerce.actions import AnyAction
from simulators.bigcommerce.knobs import Knobs
from simulators.bigcommerce.shop import Shop, Store, apply

PEOPLE, ROUNDS, ACTIONS = 60, 80, 6  # of 20 seconds


def live(seed: int) -> tuple[ShopLife, Shop]:
    shop = Shop(Store(hash="abc123", store_id=1, access_token="t"), Knobs(), lambda: 1_700_000_000_000, lambda *_: None, 1)
    life = ShopLife(seed)
    for actions in itertools.chain(life.past(PEOPLE), (life.next_actions(ACTIONS) for _ in range(ROUNDS))):
        life.learn([apply(msgspec.convert(action, AnyAction), shop) for action in actions])
    return life, shop


@pytest.mark.parametrize("seed", range(5))
def test_the_shop_refuses_nothing_and_no_two_live_accounts_share_an_email(seed: int):
    _, shop = live(seed)
    emails = [entity.body["email"].strip().lower() for entity in shop.entities["customer"].values() if entity.body]
    assert len(emails) == len(set(emails))


def test_the_same_seed_is_the_same_life():
    assert live(7)[0].happened == live(7)[0].happened


def test_everything_happens_in_a_few_lives():
    happened = sum((Counter(live(seed)[0].happened) for seed in range(8)), Counter())
    assert {"swap emails", "take left email", "take known email", "register left email", "come back", "use coupon"} <= happened.keys()
    assert {"drop product", "drop variant", "new variant", "change stock"} <= happened.keys()
    assert len(happened) == 32


def test_of_those_who_withdrew_long_ago_some_do_nothing_more_until_all_are_unsubscribed_at_once():
    life, shop = live(3)
    rejecting = [entity for entity in shop.entities["subscriber"].values() if entity.body and not entity.body["consents"]]
    assert any(len(entity.states) == 2 for entity in rejecting)
    life.learn([apply(msgspec.convert(action, AnyAction), shop) for action in life.all_unsubscribed()])
    assert not any(entity.body for entity in shop.entities["subscriber"].values())
