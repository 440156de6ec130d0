"""`reconcile` where it cannot be done; what it does stands in tests/system/test_reconcile.py."""

import pytest

from ingest.reconcile import Compared
from ops.backfill import PLURALS
from ops.reconcile import show
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


def test_numbers_are_shown_with_separators_below_each_other(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COLUMNS", "80")
    missing = {str(n): 3_600_000 for n in range(2000)}
    found = [Compared(name, listed=n) for n, name in enumerate(("subscriber", "order", "product"))]
    show([Compared("customer", listed=123_456, held=121_456, calls=1234, refused=1001, missing=missing), *found])
    out = capsys.readouterr().out
    columns, _, listed, *counts = out.splitlines()
    assert listed.split() == ["listed", "123,456", "0", "1", "2"]
    assert [line.split()[-4] for line in counts[:9]] == ["121,456", "1,234", "2,000", "0", "0", "0", "0", "1,001", "0"]
    assert len({line.index(text) + len(text) for line, text in ((columns, "customer"), (listed, "123,456"), (counts[0], "121,456"))}) == 1
    assert ["customer", "missing", "1970-01-01T01:00Z", "2,000"] in [line.split() for line in out.splitlines()]
    assert "dead-letters list" in out


def test_help_names_all_that_is_compared(run: Run):
    help = run("reconcile", "--help").out
    assert all(name in help for name in PLURALS)
