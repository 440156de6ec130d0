"""The hooks API (docs/facts/bigcommerce.md 1.5, 1.8)."""

import json
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples/bigcommerce/rest"
URL = "https://app.example.com/webhooks"


def test_a_hook_is_as_documented(shop):
    created = shop.call("POST", "/v3/hooks", json={"scope": "store/order/created", "destination": URL, "headers": {"k": "v"}}).json()
    documented = json.loads((EXAMPLES / "hooks_get_one.json").read_text())
    assert documented["data"].keys() <= created["data"].keys()
    assert created["data"]["headers"] == {"k": "v"}
    assert shop.get(f"/v3/hooks/{created['data']['id']}").json() == created


def test_a_missing_hook_is_the_documented_404(shop):
    documented = json.loads((EXAMPLES / "hooks_404.json").read_text())
    for method, body in (("GET", None), ("DELETE", None), ("PUT", {"is_active": True})):
        answer = shop.call(method, "/v3/hooks/7", json=body)
        assert answer.status_code == 404
        assert answer.json() == {**documented, "title": "Webhook with id [7] not found"}


def test_a_hook_without_destination_is_the_documented_422(shop):
    answer = shop.call("POST", "/v3/hooks", json={"scope": "store/order/created"})
    assert (answer.status_code, answer.json()) == (422, json.loads((EXAMPLES / "hooks_422.json").read_text()))


@pytest.mark.parametrize(
    ("scope", "destination", "field"),
    [
        ("store/app/uninstall", URL, "scope"),
        ("store/*", URL, "scope"),
        ("store/order/created", "http://app.example.com/webhooks", "destination"),
        ("store/order/created", "https://app.example.com:8443/webhooks", "destination"),
        ("store/order/created", "nonsense", "destination"),
    ],
)
def test_a_wrong_scope_or_destination_is_refused(shop, scope, destination, field):
    answer = shop.call("POST", "/v3/hooks", json={"scope": scope, "destination": destination})
    assert answer.status_code == 422
    assert field in answer.json()["errors"]


@pytest.mark.parametrize(
    "scope", ["store/cart/*", "store/cart/lineItem/*", "store/channel/1/order/created", "store/customer/address/updated"]
)
def test_wildcards_and_channels_are_scopes(shop, scope):
    assert shop.hook(scope, URL)


def test_scope_and_destination_are_unique_and_ten_is_the_most(shop):
    for number in range(10):
        shop.hook("store/order/created", f"{URL}/{number}")
    assert shop.call("POST", "/v3/hooks", json={"scope": "store/order/created", "destination": f"{URL}/3"}).status_code == 409
    assert shop.call("POST", "/v3/hooks", json={"scope": "store/order/created", "destination": f"{URL}/10"}).status_code == 422
    assert shop.hook("store/order/updated", f"{URL}/3")


def test_a_hook_is_changed_and_deleted(shop):
    hook = shop.hook("store/order/created", URL)
    assert shop.call("PUT", f"/v3/hooks/{hook}", json={}).status_code == 422
    changed = shop.call("PUT", f"/v3/hooks/{hook}", json={"is_active": False}).json()["data"]
    assert (changed["is_active"], changed["destination"]) == (False, URL)
    assert shop.data("/v3/hooks/admin")["hooks_list"][0]["status"] == "inactive"
    assert shop.call("DELETE", f"/v3/hooks/{hook}").json()["data"]["id"] == hook
    assert shop.get(f"/v3/hooks/{hook}").status_code == 404


def test_hooks_are_listed_by_scope_destination_and_activity(shop):
    first, second = shop.hook("store/order/created", URL), shop.hook("store/order/updated", f"{URL}/2", is_active=False)
    assert [hook["id"] for hook in shop.data("/v3/hooks")] == [first, second]
    assert [hook["id"] for hook in shop.data("/v3/hooks", scope="store/order/updated")] == [second]
    assert [hook["id"] for hook in shop.data("/v3/hooks", destination=URL)] == [first]
    assert [hook["id"] for hook in shop.data("/v3/hooks", is_active="true")] == [first]


@pytest.mark.parametrize("headers", [["k"], {"k": 1}, {"k": "\u00e9"}, {"k": "a\nb"}])
def test_headers_that_cannot_be_sent_are_refused(shop, headers):
    answer = shop.call("POST", "/v3/hooks", json={"scope": "store/order/created", "destination": URL, "headers": headers})
    assert (answer.status_code, list(answer.json()["errors"])) == (422, ["headers"])


def test_hooks_are_seen_only_by_the_client_that_made_them(shop):
    hook = shop.hook("store/order/created", URL)
    shop.change(client_id="another")
    assert shop.data("/v3/hooks") == []
    assert shop.get(f"/v3/hooks/{hook}").status_code == 404
