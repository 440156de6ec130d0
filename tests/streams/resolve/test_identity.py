"""Identity in full, each case by its name, in the simulated Engagement's own model: and never a clash of hard ids.

`held` runs a case in the order of its messages and gives what Engagement holds; with it, the same messages in any order, at once, with
lanes overtaking each other, must not clash. "11@a": account 11 with e-mail a; times in seconds.
"""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from schemas.records import Message
from simulators.engagement.profiles import Profile
from tests.streams.resolve.line import Line, cart, customer, customer_gone, order, subscriber
from tests.streams.resolve.lives import Life, Step
from tests.streams.resolve.simulated import Simulated, purchases, simulate
from tests.streams.resolve.test_lives import STEPS, in_true_order

NEWS = ["marketing_newsletter"]
SHUFFLES = 30


def held(*messages: Message) -> Simulated:
    line = Line()
    for message in messages:
        line.tell(message).run()
    assert line.letters == []
    for seed in range(SHUFFLES):
        assert simulate(line, seed).conflicts == 0
        raced = list(messages)
        random.Random(seed).shuffle(raced)
        assert simulate(Line(seed, one_line=False).tell(*raced).run(), seed).conflicts == 0
    ended = simulate(line)
    assert ended.conflicts == 0
    return ended


def hard(ended: Simulated, customer_id: int) -> dict[str, str]:
    return profile_of(ended, customer_id).hard


def profile_of(ended: Simulated, customer_id: int) -> Profile:
    found = ended.profile("customer_id", customer_id)
    assert found
    return found


# A changed e-mail.


def test_a_changed_email_there_and_back_again_is_one_profile_all_the_way():
    moves = [customer(11, "a@x"), customer(11, "b@x", at=20), customer(11, "a@x", at=40)]
    orders = [order(100 + n, customer=11, created=n * 20 + 5, at=n * 20 + 5, cart_id=f"c-{n}") for n in range(3)]
    guests = [order(110 + n, email="ab"[n % 2] + "@x", created=n * 20 + 7, at=n * 20 + 7, cart_id=f"g-{n}") for n in range(3)]
    steps = [step for three in zip(moves, orders, guests, strict=True) for step in three]
    ended = held(*steps)
    assert hard(ended, 11) == {"email_id": "a@x", "customer_id": "11"}
    assert profile_of(ended, 11).properties["email"] == "a@x"
    assert purchases(profile_of(ended, 11)) == ["100", "101", "102", "110", "111", "112"]
    assert len(ended.living()) == 1


def test_a_changed_email_keeps_the_first_as_its_id_and_the_property_is_the_present_one():
    ended = held(customer(11, "a@x"), customer(11, "b@x", at=20))
    assert hard(ended, 11) == {"email_id": "a@x", "customer_id": "11"}
    assert profile_of(ended, 11).properties["email"] == "b@x"


def test_an_email_that_already_has_a_profile_keeps_it_when_an_account_changes_to_it():
    guest = order(101, email="b@x", created=5, at=5)
    later = order(102, email="b@x", created=30, at=30, cart_id="c-2")
    ended = held(customer(11, "a@x"), guest, customer(11, "b@x", at=20), later, order(103, customer=11, created=40, at=40, cart_id="c-3"))
    guests = ended.profile("email_id", "b@x")
    assert guests is not None
    assert (guests.hard, purchases(guests)) == ({"email_id": "b@x"}, ["101", "102"])
    assert (hard(ended, 11), purchases(profile_of(ended, 11))) == ({"email_id": "a@x", "customer_id": "11"}, ["103"])


def test_an_email_of_another_account_that_left_it_is_the_newcomers_under_the_customer_id_alone():
    ended = held(
        customer(11, "a@x"), customer(11, "b@x", at=20), customer(12, "a@x", created=30, at=30), order(email="a@x", created=40, at=40)
    )
    assert (hard(ended, 11), hard(ended, 12)) == ({"email_id": "a@x", "customer_id": "11"}, {"customer_id": "12"})
    assert (purchases(profile_of(ended, 11)), purchases(profile_of(ended, 12))) == ([], ["101"])


def test_two_accounts_that_swap_their_emails_stay_two_profiles_and_each_gets_what_comes_by_its_new_one():
    swap = [customer(11, "a@x"), customer(12, "b@x"), customer(11, "z@x", at=10), customer(12, "a@x", at=20), customer(11, "b@x", at=30)]
    ended = held(*swap, order(101, email="a@x", created=40, at=40), order(102, email="b@x", created=40, at=40, cart_id="c-2"))
    assert (hard(ended, 11), hard(ended, 12)) == ({"email_id": "a@x", "customer_id": "11"}, {"email_id": "b@x", "customer_id": "12"})
    assert (purchases(profile_of(ended, 11)), purchases(profile_of(ended, 12))) == (["102"], ["101"])
    assert [profile_of(ended, id).properties["email"] for id in (11, 12)] == ["b@x", "a@x"]


# Several accounts.


def test_several_accounts_on_one_email_share_a_profile_that_bears_the_first_ones_id():
    orders = [order(100 + id, customer=id, created=30, at=30, cart_id=f"c-{id}") for id in (11, 12, 13)]
    accounts = [customer(11, "a@x", first_name="First"), customer(12, "a@x", created=10, at=10), customer(13, "a@x", created=20, at=20)]
    ended = held(*accounts, *orders)
    [profile] = ended.living()
    assert profile.hard == {"email_id": "a@x", "customer_id": "11"}
    assert purchases(profile) == ["111", "112", "113"]
    assert profile.properties["first_name"] == "First"


def test_the_same_email_registered_again_after_a_deletion_is_a_new_profile():
    ended = held(customer(11, "a@x"), order(101, customer=11), customer_gone(11, at=60), customer(12, "a@x", created=70, at=70))
    assert hard(ended, 12) == {"email_id": "a@x", "customer_id": "12"}
    assert purchases(profile_of(ended, 12)) == []
    assert ended.profile("customer_id", 11) is None
    assert len(ended.project.identities.profiles) == 2


def test_the_same_email_registered_again_before_its_deletion_is_seen_is_a_new_profile_too():
    again = [customer(12, "a@x", created=70, at=70), customer_gone(11, at=60), customer(12, "a@x", created=70, at=70, read=30)]
    ended = held(customer(11, "a@x"), order(101, customer=11), *again)
    assert (hard(ended, 12), purchases(profile_of(ended, 12))) == ({"email_id": "a@x", "customer_id": "12"}, [])


# One e-mail in many forms, and one person by many ways.


def test_case_and_spaces_of_an_email_make_no_second_person():
    forms = [order(101, email=" JANE@Example.com", cart_id="c-1"), cart("c-2", {"7": 1}, email="Jane@example.COM ", at=5)]
    ended = held(customer(11, "\tJane@Example.com\n"), *forms, subscriber(5, "jane@EXAMPLE.com", NEWS, at=9))
    [profile] = ended.living()
    assert profile.hard == {"email_id": "jane@example.com", "customer_id": "11"}
    assert profile.properties["email"] == "jane@example.com"


def test_a_guest_first_and_an_account_later_are_one_profile():
    ended = held(order(101, email="a@x"), customer(11, "a@x", created=10, at=10), order(102, customer=11, created=20, at=20, cart_id="c-2"))
    [profile] = ended.living()
    assert (profile.hard, purchases(profile)) == ({"email_id": "a@x", "customer_id": "11"}, ["101", "102"])


def test_an_account_first_and_a_guest_later_are_one_profile():
    ended = held(customer(11, "a@x"), order(101, email="a@x", created=10, at=10))
    [profile] = ended.living()
    assert (profile.hard, purchases(profile)) == ({"email_id": "a@x", "customer_id": "11"}, ["101"])


# What comes before or after what it belongs to.


def test_an_order_that_comes_before_its_customer_is_the_customers():
    ended = held(order(101, customer=11, email="till@x"), customer(11, "a@x"))
    [profile] = ended.living()
    assert (profile.hard, purchases(profile)) == ({"email_id": "a@x", "customer_id": "11"}, ["101"])


def test_an_order_that_comes_before_its_cart_ends_it_all_the_same():
    late = cart("c-1", {"7": 1}, at=-5)
    ended = held(order(101, email="a@x"), late)
    [profile] = ended.living()
    assert (purchases(profile), set(profile.soft["cart_id"])) == (["101"], {"c-1"})
    assert [event.type for event in profile.events] == ["purchase", "purchase_item"]


def test_an_order_joins_the_cart_that_was_nobodys():
    ended = held(cart("c-1", {"7": 1}, at=-5), order(101, email="a@x"))
    [profile] = ended.living()
    assert [event.type for event in profile.events if event.type != "merge"] == ["cart_update", "purchase", "purchase_item"]


def test_an_order_of_a_customer_after_the_customers_deletion_is_dropped():
    ended = held(customer(11, "a@x"), customer_gone(11, at=60), order(101, customer=11, created=50, at=90))
    assert ended.living() == []


@pytest.mark.parametrize(("created", "bought"), [(59, []), (60, []), (61, ["101"])])
def test_a_guests_order_after_the_customers_deletion_counts_by_the_time_of_its_creation(created: int, bought: list[str]):
    ended = held(customer(11, "a@x"), customer_gone(11, at=60), order(101, email="a@x", created=created, at=90))
    assert [purchases(profile) for profile in ended.living()] == ([bought] if bought else [])
    assert [profile.hard for profile in ended.living()] == ([{"email_id": "a@x"}] if bought else [])


def test_an_order_that_lost_its_customer_to_the_deletion_is_no_guests():
    """BigCommerce may show it without an account; it is nobody's then, whatever e-mail was typed at the till."""
    messages = customer(11, "a@x"), order(101, customer=11, email="b@x", created=50, at=50), customer_gone(11, at=60)
    line = Line()
    for message in (*messages, order(101, status=4, customer=0, email="b@x", created=50, at=90)):
        line.tell(message).run()
    assert simulate(line).living() == []


# Anything.


@settings(max_examples=200, deadline=None)
@given(STEPS, st.integers(0, 2**32))
def test_no_hard_ids_clash_whatever_a_few_people_with_few_emails_do(steps: list[Step], seed: int):
    """What each fact is worth then is compared with an oracle in test_lives.py."""
    assert simulate(in_true_order(Life(steps), Line()), seed).conflicts == 0
    life = Life(steps)
    raced = Line(seed, one_line=False).tell(*life.messages).run()
    life.answer(raced)
    assert simulate(raced, seed).conflicts == 0


def test_the_simulated_engagement_does_count_a_clash():
    """Without this the zeros above would say nothing."""
    line = Line().tell(customer(11, "a@x"), customer(12, "b@x")).run()
    [(lane, one), (_, two)] = line.commands
    clash = two.data.__class__(bytes(two.data).replace(b"b@x", b"a@x"))
    line.commands = [(lane, one), ("other", replace(two, data=clash))]
    assert simulate(line).conflicts == 1


def test_a_guests_order_of_a_cart_that_was_an_accounts_is_the_guests_also_where_it_was_incomplete_first():
    line = Line().tell(customer(), cart(lines={"7": 1}, customer=11)).run()
    line.tell(order(status=0, email="guest@x", at=10), order(status=11, email="guest@x", at=20)).run()
    [purchase] = line.events("purchase")
    assert purchase["customer_ids"]["email_id"] == "guest@x"


def test_an_order_that_lost_its_account_stays_the_accounts():
    line = Line().tell(customer(), order(customer=11, email="till@x"), order(email="till@x", status=2, at=20)).run()
    [update] = line.events("order_update")
    assert update["customer_ids"]["customer_id"] == "11"
    line.tell(customer_gone(at=30), order(email="till@x", status=4, at=40)).run()
    assert len(line.events("order_update")) == 1


def test_a_row_that_does_not_say_whose_its_orders_were_goes_by_its_owner():
    line = Line().tell(customer(), order(customer=11, email="till@x")).run()
    for key, row in line.rows.items():
        line.rows[key] = row.replace(b',"account":"11"', b"")
    line.tell(order(email="till@x", status=2, at=20)).run()
    [update] = line.events("order_update")
    assert update["customer_ids"]["customer_id"] == "11"
