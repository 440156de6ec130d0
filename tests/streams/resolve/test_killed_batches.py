"""The engine sends a batch's effects, then writes its rows: a kill between them repeats all that the batch sent, as a block."""

from tests.streams.resolve.engagement import Engagement
from tests.streams.resolve.line import Line, customer, customer_gone, order, subscriber, subscriber_gone

NEWS = ["marketing_newsletter"]
ACCOUNTS, SUBSCRIBERS, CHECKOUTS, PEOPLE = "bigcommerce.accounts", "bigcommerce.subscribers", "bigcommerce.checkouts", "people"


def newsletter(line: Line) -> list[tuple[str, float]]:
    events = line.events("consent")
    return [(e["properties"]["action"], e["timestamp"] - 1_700_000_000) for e in events if e["properties"]["category"] == "bigcommerce"]


def test_a_subscribers_states_that_are_repeated_give_no_further_consent():
    for last in (subscriber(consents=[], at=20), subscriber_gone(at=20)):
        line = Line().tell(subscriber(consents=NEWS, at=10), last).run_killed(SUBSCRIBERS)
        assert newsletter(line) == [("accept", 10), ("reject", 20)]
        line = Line().tell(subscriber(consents=NEWS, at=10), last)
        line.run_killed(SUBSCRIBERS, meanwhile=lambda line=line: line.run())  # type: ignore[misc]
        assert newsletter(line) == [("accept", 10), ("reject", 20)]


def test_a_subscriber_who_moved_there_and_back_is_told_nothing_again():
    line = Line().tell(subscriber(email="a@x", consents=NEWS, at=10)).run()
    line.tell(subscriber(email="b@x", consents=NEWS, at=20), subscriber(email="a@x", consents=NEWS, at=30)).run_killed(SUBSCRIBERS)
    assert len([e for e in line.events("consent") if e["properties"]["category"] == "bigcommerce"]) == 5
    assert line.consents()["a@x", "bigcommerce"] == "accept"
    assert line.consents()["b@x", "bigcommerce"] == "reject"


def test_facts_that_a_row_handed_on_again_change_nothing():
    line = Line().tell(customer(11, "a@x"), customer(11, "b@x", at=5)).run()
    line.tell(subscriber(email="b@x", consents=NEWS, at=10, created=10)).tell(subscriber(email="b@x", consents=[], at=20, created=10))
    while line.queues[SUBSCRIBERS, ""]:
        line.run_killed(SUBSCRIBERS)
    line.tell(subscriber(email="b@x", consents=NEWS, at=30, created=10), subscriber_gone(at=40))
    line.run_killed(SUBSCRIBERS, meanwhile=lambda: line.run_killed(PEOPLE))
    assert newsletter(line) == [("accept", 10), ("reject", 20), ("accept", 30), ("reject", 40)]


def test_an_account_that_came_and_went_does_not_come_back():
    line = Line().tell(customer(), customer_gone(at=60)).run_killed(ACCOUNTS)
    assert [command.kind for _, command in line.commands] == ["customers", "customers", "anonymize"]


def test_an_order_that_is_repeated_after_the_email_was_taken_stands_on_one_profile():
    line = Line()
    for message in (customer(11, "a@x"), customer(11, "b@x", at=20)):
        line.tell(message).run()

    def meanwhile() -> None:
        line.run().tell(customer(11, "c@x", at=40)).run().tell(customer(12, "b@x", created=50, at=50)).run()

    line.tell(order(email="b@x", created=30, at=30)).run_killed(CHECKOUTS, meanwhile)
    bought = [profile for profile in Engagement().deliver(line.commands).profiles if profile.purchases()]
    assert [(profile.hard["customer_id"], profile.purchases()) for profile in bought] == [("11", ["101"])]
