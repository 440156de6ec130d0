"""A person who asked to be erased is gone with all that was before, and comes back by what they do after it alone. Times in seconds."""

from schemas.people import Lapsed
from schemas.records import Origin, encode, headers_of
from schemas.topics import PEOPLE
from tests.streams.resolve.engagement import Engagement
from tests.streams.resolve.line import STORE, T0, Line, cart, customer, customer_gone, erased, lane_of, order, subscriber, subscriber_gone

NEWS = ["marketing_newsletter"]
DAY = 24 * 60 * 60


def live(*messages, line: Line | None = None) -> tuple[Line, Engagement]:
    line = line or Line()
    for message in messages:
        line.tell(message).run()
    engagement = Engagement().deliver(line.commands)
    assert (engagement.clashes, line.letters) == ([], [])
    return line, engagement


def kinds(line: Line) -> list[str]:
    return [command.kind for _, command in line.commands]


def rows_with(line: Line, word: bytes) -> list[str]:
    return [key.decode() for (topic, key), row in line.rows.items() if topic == "people" and word in row]


def test_an_erased_persons_properties_are_emptied_then_the_profile_is_anonymized():
    line, ended = live(customer(phone="1"), order(customer=11), subscriber(consents=NEWS), erased(at=60))
    assert ended.live() == []
    [profile] = ended.profiles
    assert set(profile.properties) > {"email", "phone", "first_name"}
    assert {profile.property(name) for name in profile.properties} == {""}
    assert kinds(line)[-2:] == ["customers", "anonymize"]
    assert line.bodies("anonymize") == [{"customer_ids": {"email_id": "jane@example.com", "customer_id": "11"}}]
    assert rows_with(line, b"jane@") == []


def test_what_is_older_than_the_erasure_is_dropped_and_what_is_younger_starts_a_new_profile():
    line, ended = live(customer(), erased(at=60), order(email="jane@example.com", created=60, at=70))
    assert ended.live() == []
    line, ended = live(order(102, email="jane@example.com", created=61, at=70, cart_id="c-2"), line=line)
    assert [(profile.hard, profile.purchases()) for profile in ended.live()] == [({"email_id": "jane@example.com"}, ["102"])]


def test_a_later_state_of_an_erased_account_does_not_bring_the_person_back():
    line, ended = live(customer(), erased(at=60), customer(at=90, phone="2"), customer(at=95, email="new@example.com"))
    assert ended.live() == []
    assert rows_with(line, b"@example.com") == []


def test_an_account_that_was_not_known_yet_stays_out_when_it_was_created_before_the_erasure():
    line, ended = live(erased(at=60), customer(created=30, at=90), customer(created=30, at=95))
    assert ended.live() == []
    assert kinds(line) == ["anonymize"], "what another source told Engagement of the person is anonymized too"


def test_a_new_account_after_an_erasure_is_a_new_person():
    _, ended = live(customer(), erased(at=60), customer(12, created=61, at=61, phone="2"), customer(at=70))
    assert [profile.hard for profile in ended.live()] == [{"email_id": "jane@example.com", "customer_id": "12"}]
    assert ended.live()[0].property("phone") == "2"


def test_an_account_that_is_younger_than_the_request_starts_again_on_its_own_profile():
    line, ended = live(customer(), customer(12, created=61, at=61), erased(at=60))
    assert [look.id for look in line.looks][-1:] == ["12"]
    _, ended = live(customer(12, created=61, at=61, read=60), line=line)
    assert [profile.hard for profile in ended.live()] == [{"email_id": "jane@example.com", "customer_id": "12"}]


def test_an_order_by_an_erased_account_after_the_erasure_is_known_by_the_accounts_email_alone():
    line, ended = live(
        customer(), customer(at=20, email="b@x"), erased("b@x", at=60), order(customer=11, created=70, at=70, email="till@x")
    )
    assert [(profile.hard, profile.purchases()) for profile in ended.live()] == [({"email_id": "b@x"}, ["101"])]
    line, ended = live(order(102, customer=11, created=50, at=80, cart_id="c-2"), line=line)
    assert ended.live()[0].purchases() == ["101"]
    _, ended = live(customer_gone(at=90), line=line)
    assert ended.live() == [], "deleted at the shop, the person is gone with that, too"


def test_a_subscription_that_nobody_touched_is_not_sent_again_and_one_that_consents_anew_is():
    line, ended = live(subscriber(consents=NEWS), erased(at=60), subscriber(consents=NEWS, at=50))
    assert ended.live() == []
    line, ended = live(subscriber(consents=[], at=70), line=line)
    assert ended.live() == []
    line, ended = live(subscriber(consents=NEWS, at=80), line=line)
    assert ended.live()[0].consents()["bigcommerce"] == "accept"
    _, ended = live(subscriber_gone(at=90), line=line)
    assert ended.live()[0].consents()["bigcommerce"] == "reject"


def test_an_erased_account_that_the_shop_deletes_takes_nothing_from_a_new_account_on_its_email():
    again = subscriber(6, consents=NEWS, created=70, at=70)
    line, _ = live(customer(), erased(at=60), again, order(email="jane@example.com", created=75, at=75), customer(12, created=80, at=80))
    _, ended = live(customer_gone(11, at=90), line=line)
    [profile] = ended.live()
    assert (profile.hard["customer_id"], profile.purchases(), profile.consents()["bigcommerce"]) == ("12", ["101"], "accept")


def test_a_new_subscription_after_an_erasure_starts_a_new_profile():
    _, ended = live(subscriber(consents=NEWS), erased(at=60), subscriber(6, consents=NEWS, at=70, created=70))
    assert [profile.hard for profile in ended.live()] == [{"email_id": "jane@example.com"}]


def test_an_account_that_changed_its_email_is_erased_by_the_present_one():
    history = [customer(email="a@x"), customer(email="b@x", at=20), subscriber(email="b@x", consents=NEWS, created=30, at=30)]
    line, ended = live(*history, order(email="b@x", created=40, at=40), erased("b@x", at=60))
    assert ended.live() == []
    _, ended = live(customer(email="b@x", at=70), subscriber(email="b@x", consents=NEWS, created=30, at=55), line=line)
    assert ended.live() == []
    assert rows_with(line, b"@x") == []


def test_an_account_that_changed_its_email_is_erased_by_the_former_one_while_nobody_took_that():
    guest = order(email="b@x", created=40, at=40)
    _, ended = live(customer(email="a@x"), customer(email="b@x", at=20), guest, erased("a@x", at=60), order(102, email="b@x", created=50))
    assert ended.live() == []


def test_an_email_that_was_taken_over_means_the_one_who_took_it():
    history = [customer(11, "a@x"), customer(11, "b@x", at=20), customer(12, "a@x", created=30, at=30), erased("a@x", at=60)]
    _, ended = live(*history)
    assert [profile.hard for profile in ended.live()] == [{"email_id": "a@x", "customer_id": "11"}]


def test_an_account_that_came_to_the_email_of_guests_is_erased_with_them():
    _, ended = live(order(email="b@x"), customer(11, "a@x"), customer(11, "b@x", at=20), erased("b@x", at=60))
    assert ended.live() == []


def test_an_account_that_came_to_the_email_and_left_it_again_is_not_erased_with_its_guests():
    _, ended = live(order(email="b@x"), customer(11, "a@x"), customer(11, "b@x", at=20), customer(11, "c@x", at=30), erased("b@x", at=60))
    assert [profile.hard["customer_id"] for profile in ended.live()] == ["11"]


def test_the_last_who_had_an_email_that_nobody_took_is_erased_by_it_wherever_the_account_is():
    moves = [customer(11, "a@x"), customer(11, "b@x", at=20), customer(11, "c@x", at=30)]
    for email in ("a@x", "b@x", "c@x"):
        _, ended = live(*moves, erased(email, at=60))
        assert ended.live() == []


def test_guests_of_the_email_that_an_erased_account_has_are_erased_with_it():
    _, ended = live(order(email="b@x"), customer(11, "a@x"), customer(11, "b@x", at=20), erased("a@x", at=60))
    assert ended.live() == []


def test_all_accounts_on_the_email_are_erased():
    _, ended = live(customer(11, "a@x"), customer(12, "z@x"), customer(12, "a@x", at=20), customer(13, "a@x", at=30), erased("a@x", at=60))
    assert ended.live() == []


def test_a_state_that_the_erasure_overtook_is_found_by_it():
    line = Line().tell(customer(11, "a@x")).run().tell(customer(11, "b@x", at=20), erased("b@x", at=60))
    line.random.choice = lambda ready: ready[-1]  # people first
    line.run()
    assert Engagement().deliver(line.commands).live() == []


def test_an_erasure_that_is_repeated_ends_nothing_that_came_after_it():
    asked = erased(at=60)
    _, ended = live(customer(), asked, order(email="jane@example.com", created=70, at=70), asked)
    assert [profile.purchases() for profile in ended.live()] == [["101"]]


def test_an_erasure_that_comes_after_a_later_deletion_ends_nothing_that_came_after_that():
    _, ended = live(customer(), customer_gone(at=100), order(email="jane@example.com", created=110, at=110), erased(at=60))
    assert [profile.purchases() for profile in ended.live()] == [["101"]]


def test_a_cart_alone_starts_no_profile_after_an_erasure():
    _, ended = live(
        customer(), erased(at=60), cart(lines={"7": 1}, at=70, email="jane@example.com"), cart("c-2", {"7": 1}, customer=11, at=80)
    )
    assert ended.live() == []


# Who has lapsed.


def lapse(line: Line, *, at: int, days: int = 30, email: str = "jane@example.com") -> list[dict]:
    """What it anonymized."""
    before, fact = len(line.bodies("anonymize")), Lapsed(store=STORE.store, at_ms=T0 + at * 1000, days=days)
    line.put(PEOPLE.name, lane_of(email), encode(fact), headers_of(fact, Origin("", 1)))
    return line.run().bodies("anonymize")[before:]


def test_a_subscriber_who_consents_to_nothing_lapses_after_so_many_days_and_not_before():
    line = Line().tell(subscriber(consents=NEWS), subscriber(consents=[], at=100)).run()
    assert lapse(line, at=100 + 30 * DAY) == []
    assert lapse(line, at=101 + 30 * DAY) == [{"customer_ids": {"email_id": "jane@example.com"}}]
    assert lapse(line, at=102 + 30 * DAY) == []
    assert rows_with(line, b"jane@") == []


def test_who_consents_or_has_an_account_or_never_subscribed_does_not_lapse():
    for history in (
        [subscriber(consents=NEWS)],
        [subscriber(consents=[]), customer()],
        [order(email="jane@example.com")],
        [customer()],
    ):
        assert lapse(Line().tell(*history).run(), at=1000 * DAY) == []


def test_a_subscriber_who_was_deleted_lapses_too():
    assert lapse(Line().tell(subscriber(consents=NEWS), subscriber_gone(at=50)).run(), at=51 + 30 * DAY)


def test_what_came_between_the_judgement_and_the_row_counts():
    line = Line().tell(subscriber(consents=[])).run()
    line.tell(subscriber(consents=NEWS, at=40 * DAY)).run()
    assert lapse(line, at=40 * DAY) == []
    line = Line().tell(subscriber(consents=[])).run().tell(customer(created=40 * DAY)).run()
    assert lapse(line, at=40 * DAY) == []


def test_who_lapsed_and_consents_again_is_a_new_profile_and_can_lapse_again():
    line = Line().tell(subscriber(consents=[])).run()
    assert lapse(line, at=40 * DAY)
    line.tell(subscriber(consents=[], at=41 * DAY)).run()
    assert Engagement().deliver(line.commands).live() == []
    line.tell(subscriber(consents=NEWS, at=50 * DAY)).run()
    [profile] = Engagement().deliver(line.commands).live()
    assert (profile.hard, profile.consents()["bigcommerce"]) == ({"email_id": "jane@example.com"}, "accept")
    line.tell(subscriber(consents=[], at=60 * DAY)).run()
    assert lapse(line, at=80 * DAY) == []
    assert lapse(line, at=91 * DAY)
