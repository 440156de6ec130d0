"""`reconcile` where it cannot be done; what it does stands in tests/system/test_reconcile.py."""

from ops.backfill import PLURALS
from ops.topics import create_topics
from schemas.settings import Settings
from tests.ops.conftest import Run, Shop


async def test_what_is_wrong_is_said_in_one_line(run: Run, settings: Settings, shop: Shop):
    await create_topics(settings)
    assert shop.add(run, "--no-hooks", "--no-backfill").code == 0
    for arguments, code, said in (
        (("nowhere",), 2, "nowhere"),
        ((shop.hash, "--only", "carts"), 2, "--only"),
        ((shop.hash,), 3, "worker resolve"),
        ((shop.hash, "--only", "products"), 3, "products-changelog"),
    ):
        ran = run("reconcile", *arguments)
        assert (ran.code, said in ran.err, len(ran.err.strip().splitlines())) == (code, True, 1), ran.err


def test_help_names_all_that_is_compared(run: Run):
    help = run("reconcile", "--help").out
    assert all(name in help for name in PLURALS)
