"""What is a difference, and what is none."""

from msgspec.structs import replace

from ingest.daily import DAY_S, next_run_s
from ingest.reconcile import Compared, Held, Shown, compare, follows_from_ms, mark
from schemas.backfills import Backfill, Backfills, begun
from schemas.entities import Seen

BEGAN, MARGIN = 1_700_000_000_000, 600_000
OLD = BEGAN - 10 * MARGIN


def compared(listed: dict[str, int], held: dict[str, Held], *, whole: bool = True, from_ms: int = 0) -> Compared:
    found = Compared("customer")
    shown = {id: Shown(modified_ms) for id, modified_ms in listed.items()}
    compare(found, shown, held, began_ms=BEGAN, margin_ms=MARGIN, from_ms=from_ms, whole=whole)
    return found


def compared_variants(shown: list[str] | None, row: Held, modified_ms: int = OLD) -> Compared:
    """Of a product 1."""
    found = Compared("product")
    listed = {"1": Shown(modified_ms, None if shown is None else mark(shown))}
    compare(found, listed, {"1": row}, began_ms=BEGAN, margin_ms=MARGIN, from_ms=0, whole=True)
    return found


def held(version: int = OLD, read_at: int = OLD, **more: int) -> Held:
    return Held(Seen(version, read_at), **more)


def test_what_is_the_same_is_no_difference():
    assert compared({"1": OLD}, {"1": held()}) == Compared("customer")
    assert compared({"1": OLD}, {"1": held(OLD + 5)}) == Compared("customer"), "read since, it is newer here"


def test_what_is_not_here_and_what_is_older_here_are_named_with_the_time_of_their_change():
    found = compared({"1": OLD + 1, "2": OLD + 2}, {"1": held(), "3": held()})
    assert (found.older, found.missing, found.gone) == ({"1": OLD + 1}, {"2": OLD + 2}, {"3": 0})


def test_what_changed_within_the_margin_is_under_way():
    late = BEGAN - MARGIN + 1
    found = compared({"1": late, "2": late}, {"1": held(), "3": held(read_at=late)})
    assert (found.differences, found.under_way) == ({"missing": {}, "older": {}, "gone": {}}, 3)
    found = compared({"1": late - 1}, {"1": held(), "3": held(read_at=late - 1)})
    assert (found.older, found.gone, found.under_way) == ({"1": late - 1}, {"3": 0}, 0)


def test_a_told_deletion_is_final_whatever_a_listing_says():
    assert compared({"1": OLD}, {"1": held(told=True), "2": held(told=True)}).differences == {"missing": {}, "older": {}, "gone": {}}


def test_what_was_found_gone_and_is_listed_is_missing_here():
    assert compared({"1": OLD}, {"1": held(gone=True), "2": held(gone=True)}).differences == {
        "missing": {"1": OLD},
        "older": {},
        "gone": {},
    }


def test_what_a_read_missed_and_is_listed_as_it_was_is_read_again():
    found = compared({"1": OLD, "2": OLD + 1}, {"1": held(missed_ms=BEGAN - MARGIN), "2": held(missed_ms=BEGAN - MARGIN)})
    assert found.differences == {"missing": {}, "older": {"1": 0, "2": OLD + 1}, "gone": {}}
    found = compared({"1": OLD}, {"1": held(missed_ms=BEGAN - MARGIN + 1)})
    assert (found.older, found.under_way) == ({}, 1)


def test_what_was_here_once_is_missing_whatever_history_was_asked_for():
    found = compared({"1": OLD, "2": OLD}, {"1": held(gone=True), "2": Held(None, gone=True)}, from_ms=OLD + 1)
    assert (found.missing, found.not_loaded) == ({"1": OLD}, 1)


def test_a_variant_that_came_or_vanished_makes_a_product_older_though_its_date_modified_stayed():
    row = replace(held(), variants=mark(["11", "12"]))
    for shown in (["11"], ["11", "12", "13"], ["11", "13"], []):
        found = compared_variants(shown, row)
        assert (found.older, found.under_way) == ({"1": 0}, 0), "when it was is not known"
    for same in (["12", "11"], None):
        assert compared_variants(same, row) == Compared("product")
    assert compared_variants(["12"], replace(row, gone=True)).missing == {"1": OLD}
    assert compared_variants(["12"], replace(row, told=True)) == Compared("product")


def test_a_product_that_changed_has_the_time_of_its_change_whatever_its_variants_say():
    row = replace(held(), variants=mark(["11"]))
    assert compared_variants(["12"], row, OLD + 1).older == {"1": OLD + 1}
    assert compared_variants(["12"], row, BEGAN).under_way == 1


def test_variants_that_were_read_within_the_margin_or_after_the_listing_are_under_way():
    row = replace(held(read_at=BEGAN - MARGIN + 1), variants=mark(["11"]))
    assert (compared_variants(["12"], row).older, compared_variants(["12"], row).under_way) == ({}, 1)
    row = replace(held(read_at=BEGAN - MARGIN), variants=mark(["11"]))
    assert compared_variants(["12"], row).older == {"1": 0}


def test_what_a_rule_refused_at_that_version_is_no_difference_and_a_newer_version_is():
    refused = Seen(OLD, OLD)
    found = compared({"1": OLD, "2": OLD}, {"1": Held(None, refused=refused), "2": held(OLD - 5, refused=refused)})
    assert (found.differences, found.refused) == ({"missing": {}, "older": {}, "gone": {}}, 2)
    found = compared({"1": OLD + 1, "2": OLD + 1}, {"1": Held(None, refused=refused), "2": held(OLD - 5, refused=refused)})
    assert (found.missing, found.older, found.refused) == ({"1": OLD + 1}, {"2": OLD + 1}, 0)


def test_what_was_refused_and_is_not_listed_is_gone_where_the_row_knows_it_otherwise():
    found = compared({}, {"1": Held(None, refused=Seen(OLD, OLD)), "2": held(OLD - 5, refused=Seen(OLD, OLD))})
    assert found.gone == {"2": 0}


def test_what_is_not_in_a_part_of_a_listing_is_not_gone():
    assert compared({}, {"1": held()}, whole=False).gone == {}


def test_history_that_nobody_asked_for_is_not_missing():
    found = compared({"1": OLD, "2": OLD, "3": OLD + 1}, {"1": held(OLD - 1)}, from_ms=OLD + 1)
    assert (found.older, found.missing, found.not_loaded) == ({"1": OLD}, {"3": OLD + 1}, 1)


def test_all_is_to_be_here_from_where_history_was_asked_for():
    backfills = Backfills()

    def from_ms(resource: str = "order", *, passed: bool = True) -> int | None:
        return follows_from_ms(backfills, "s.1", resource, passed=passed)

    assert from_ms() is None
    asked = Backfill(store="s.1", run="one", resources=["customer", "order"], since_ms=5, asked_ms=100)
    backfills.take(asked)
    assert from_ms() == 100, "it is being loaded"
    assert from_ms("subscriber") is None
    backfills.take(replace(begun(asked, "order"), state="done", began_ms=110))
    assert from_ms() == 5
    assert from_ms(passed=False) == 100, "its pages are still under way"
    backfills.take(replace(asked, run="two", resources=["customer"], since_ms=0))
    assert from_ms() == 110, "an earlier run had it"


def test_hours_are_of_the_change():
    found = Compared("customer", missing={"1": 3_599_999, "2": 0}, older={"3": 3_600_000, "4": 3_600_001})
    hours = [("missing", "", 1), ("missing", "1970-01-01T00:00Z", 1), ("older", "1970-01-01T01:00Z", 2)]
    assert found.by_hour() == hours


def test_a_store_has_its_own_time_of_day():
    first = next_run_s("abc123.1", 1_700_000_000)
    assert 1_700_000_000 < first <= 1_700_000_000 + DAY_S
    assert next_run_s("abc123.1", first - 1) == first
    assert next_run_s("abc123.1", first) == first + DAY_S
    assert next_run_s("abc124.1", 1_700_000_000) != first
