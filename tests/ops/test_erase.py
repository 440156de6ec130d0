"""`erase` where it is refused, and where nobody works on it; what it does stands in tests/system/test_erase.py."""

from ops.topics import create_topics
from schemas.people import Erased
from schemas.settings import Settings
from schemas.topics import PEOPLE
from tests.ops.conftest import Run, Shop
from tests.ops.records import written

EMAIL = "jane.doe@example.com"


async def test_a_request_is_refused_before_anything_is_written(run: Run, settings: Settings, shop: Shop):
    await create_topics(settings)
    none_yet = run("erase", EMAIL, "--yes")
    assert (none_yet.code, "store add" in none_yet.err) == (2, True)
    assert shop.add(run, "--no-hooks", "--no-backfill").code == 0
    for arguments, stdin, said in (
        ((EMAIL,), "", "--yes"),
        (("-",), EMAIL, "--yes"),
        (("jane", "--yes"), "", "EMAIL"),
        (("-", "--yes"), "", "EMAIL"),
        (("jane doe@example.com", "--yes"), "", "EMAIL"),
        ((EMAIL, "--yes", "--store", "nowhere"), "", "nowhere"),
    ):
        ran = run("erase", *arguments, stdin=stdin)
        assert (ran.code, said in ran.err, "jane" in ran.err) == (2, True, False), ran.err
    assert await written(settings, PEOPLE) == []


async def test_a_request_that_nobody_works_on_stands_and_says_what_it_waits_for(run: Run, settings: Settings, shop: Shop):
    await create_topics(settings)
    assert shop.add(run, "--no-hooks", "--no-backfill").code == 0
    ran = run("erase", "-", "--yes", "--json", "--wait", "1", stdin=f" {EMAIL.upper()} \n")
    [request] = ran.json["requests"]
    assert (ran.code, request["decided"], request["done"], "(resolve)" in ran.err) == (1, False, False, True)
    [(key, fact)] = await written(settings, PEOPLE)
    assert isinstance(fact, Erased)
    assert (fact.email, key) == (EMAIL, request["row"])
    assert EMAIL not in (ran.out + ran.err).lower()
    assert EMAIL.split("@", maxsplit=1)[0] not in key
