import base64
import uuid

import httpx

from engagement.catalogs import definition
from ops.topics import create_topics
from schemas.settings import Settings
from tests.ops.conftest import SECRET_KEY, Ran, Run, Shop


def found(ran: Ran) -> dict[str, tuple[str, str]]:
    return {check["check"]: (check["result"], check["what"]) for check in ran.json["checks"]}


async def test_a_deployment_that_is_well_has_nothing_to_mend(run: Run, shop: Shop, settings: Settings):
    await create_topics(settings)
    assert shop.add(run).code == 0
    ran = run("doctor", "--json")
    assert ran.code == 0, ran.out
    assert {check["result"] for check in ran.json["checks"]} == {"ok"}
    assert {"Kafka", "topics", "stores", "BigCommerce token", "hooks", "Engagement key", "catalogs"} < set(found(ran))
    shown = run("doctor")
    assert shown.code == 0
    assert max(map(len, shown.out.splitlines())) <= 100


def test_settings_are_shown_with_their_secrets_hidden(run: Run, prefix: str):
    ran = run("doctor", "--json", bigcommerce_client_secret="open sesame", kafka_password="hush")
    assert ran.json["settings"]["CARTSTREAM_TOPIC_PREFIX"] == prefix
    assert ran.json["settings"]["CARTSTREAM_BIGCOMMERCE_CLIENT_SECRET"] == "(set, hidden)"
    assert ran.json["settings"]["CARTSTREAM_SLOT"] == "(not set)"
    for secret in (SECRET_KEY, "open sesame", "hush"):
        assert secret not in ran.out + ran.err


def test_missing_topics_are_wrong_and_the_command_that_makes_them_is_named(run: Run):
    ran = run("doctor", "--json")
    assert ran.code == 1
    assert found(ran)["topics"][0] == "wrong"
    assert "run `cartstream topics`" in found(ran)["topics"][1]


def test_kafka_that_is_away_is_not_reachable(run: Run):
    ran = run("doctor", "--json", kafka="127.0.0.1:1")
    assert ran.code == 3
    assert found(ran)["Kafka"][0] == "not reachable"


async def test_what_is_wrong_with_a_store_is_named_with_its_mending(run: Run, shop: Shop, settings: Settings):
    await create_topics(settings)
    assert shop.add(run).code == 0
    asleep, removed = shop.hooks()[:2]
    shop.call("PUT", f"v3/hooks/{asleep['id']}", json={"is_active": False})
    assert found(run("doctor", "--json"))["hooks"] == ("wrong", f"{asleep['scope']} deactivated; run `cartstream store add` for it again")
    shop.call("DELETE", f"v3/hooks/{removed['id']}")
    ran = run("doctor", "--json")
    assert ran.code == 1
    assert "1 of 24 are missing" in found(ran)["hooks"][1]

    denied = {"token": shop.project, "keys": [{"id": "key", "secret": "secret", "denied": ["events.get"]}]}
    httpx.post(f"{shop.engagement}/_sim/projects", json=denied).raise_for_status()
    assert "lacks the permission Events > Get" in found(run("doctor", "--json"))["Engagement key"][1]
    httpx.post(f"{shop.engagement}/_sim/projects", json={"token": shop.project, "keys": []}).raise_for_status()
    assert "refuses the API key" in found(run("doctor", "--json"))["Engagement key"][1]

    httpx.put(f"{shop.bigcommerce}/_sim/stores/{shop.hash}", json={"access_token": str(uuid.uuid4())}).raise_for_status()
    ran = run("doctor", "--json")
    assert found(ran)["BigCommerce token"][0] == found(ran)["hooks"][0] == "wrong"
    away = run("doctor", "--json", bigcommerce_api="http://127.0.0.1:1")
    assert found(away)["BigCommerce token"][0] == "not reachable"
    assert away.code == 1  # Engagement's key is still wrong


async def test_what_is_wrong_with_the_catalogs_is_named_with_its_mending(run: Run, shop: Shop, settings: Settings):
    await create_topics(settings)
    assert shop.add(run).code == 0
    auth, url = ("key", "secret"), f"{shop.engagement}/data/v2/projects/{shop.project}/catalogs"

    def deny(*permissions: str) -> None:
        project = {"token": shop.project, "keys": [{"id": "key", "secret": "secret", "denied": permissions}]}
        httpx.post(f"{shop.engagement}/_sim/projects", json=project).raise_for_status()

    assert found(run("doctor", "--json"))["catalogs"] == ("ok", "products and variants will be made")
    deny("catalogs.get")
    assert "lacks the permission Catalogs > list catalogs" in found(run("doctor", "--json"))["catalogs"][1]
    deny()
    httpx.post(url, json=definition("products"), auth=auth).raise_for_status()
    for permission, named in (("catalogs.write", "Create or update catalog item"), ("catalogs.delete", "Delete catalog item")):
        deny(permission)
        assert f"lacks the permission Catalogs > {named}" in found(run("doctor", "--json"))["catalogs"][1]
    deny()
    httpx.post(url, json={"name": "variants", "fields": definition("variants")["fields"][2:]}, auth=auth).raise_for_status()
    ran = run("doctor", "--json")
    assert ran.code == 1
    assert "the catalog variants was not made by cartstream and lacks the fields description, title," in found(ran)["catalogs"][1]


async def test_a_token_with_too_few_scopes_is_seen_and_they_are_named(run: Run, shop: Shop, settings: Settings):
    await create_topics(settings)

    def forbid(*permissions: str) -> None:
        httpx.put(f"{shop.bigcommerce}/_sim/stores/{shop.hash}", json={"forbidden": permissions}).raise_for_status()

    forbid("orders", "carts", "products")
    refused = shop.add(run)
    assert refused.code == 1
    assert refused.err.startswith(
        "cartstream: the access token lacks the scope store_v2_orders_read_only, store_cart_read_only, "
        "store_v2_products_read_only (403); make"
    )
    assert run("store", "list", "--json").json == []
    forbid()
    assert shop.add(run).code == 0
    forbid("information")
    assert "lacks the scope store_v2_information_read_only (403)" in found(run("doctor", "--json"))["BigCommerce token"][1]
    forbid("customers")
    assert "lacks the scope store_v2_customers_read_only (403)" in found(run("doctor", "--json"))["BigCommerce token"][1]


async def test_a_store_without_hooks_is_well_without_a_public_address(run: Run, shop: Shop, settings: Settings):
    await create_topics(settings)
    assert "CARTSTREAM_PUBLIC_URL is not set" in found(run("doctor", "--json", public_url=None))["public address"][1]
    assert shop.add(run, "--no-hooks").code == 0
    ran = run("doctor", "--json", public_url=None)
    assert ran.code == 0, ran.out
    assert found(ran)["hooks"] == ("ok", "left alone, as --no-hooks asked")

    assert shop.add(run).code == 0
    unknown = run("doctor", "--json", public_url=None)
    assert unknown.code == 1
    assert found(unknown)["hooks"] == (
        "wrong",
        "CARTSTREAM_PUBLIC_URL is not set, so nothing can be said of them; set it and run this again",
    )


def test_a_new_key_is_one_that_is_taken(run: Run):
    ran = run("doctor", "--new-key", secret_key="not a key")
    assert ran.code == 0
    assert len(base64.urlsafe_b64decode(ran.out.strip())) == 32
    refused = run("doctor", secret_key="not a key")
    assert refused.code == 2
    assert refused.err.startswith("cartstream: CARTSTREAM_SECRET_KEY: must be 32 bytes")
    assert len(refused.err.splitlines()) == 1
    assert found(run("doctor", "--json", secret_key=ran.out.strip()))["secret key"][0] == "ok"
