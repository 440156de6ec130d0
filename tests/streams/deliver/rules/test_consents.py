from streams.deliver.rules.consents import is_there

CONSENT = {
    "customer_ids": {"email_id": "jane@example.com"},
    "event_type": "consent",
    "timestamp": 1709566376.251,
    "properties": {"category": "bigcommerce", "action": "accept", "valid_until": "unlimited"},
}


def event(timestamp: float = 1709566376.251, category: str = "bigcommerce", action: str = "accept") -> dict[str, object]:
    return {"type": "consent", "timestamp": timestamp, "properties": {"category": category, "action": action, "valid_until": "unlimited"}}


def test_a_consent_is_there_when_time_category_and_action_are_equal() -> None:
    assert is_there(CONSENT, [event(action="reject"), event()])


def test_a_consent_is_not_there_when_one_of_them_differs_by_the_least() -> None:
    others = [event(timestamp=1709566376.252), event(category="bigcommerce_abandoned_cart"), event(action="reject")]
    assert not is_there(CONSENT, others)
    assert not is_there(CONSENT, [])


def test_an_event_that_says_nothing_is_not_it() -> None:
    assert not is_there(CONSENT, [{}, {"timestamp": None, "properties": None}])
