"""What a run of the demo ends with, and how it is shown."""

from dataclasses import dataclass

from rich.text import Text

from ops import output
from ops.demo.compare import Row

SHOWN_MAX = 5  # differences shown of each row


@dataclass(frozen=True)
class OfStore:
    """What a run ends with for one store. Latency is from a webhook's receipt to Engagement's acceptance, None where nothing was accepted.

    `loaded` of the shop's past, in `loaded_in_s` from its first page to the last decision about it, while the shop lived on. At the end
    `erased` people asked for it, then `unheard_actions` happened of which no webhook came, and a reconcile found `reconciled` things
    missing, older here, or gone.
    """

    store: str
    actions: int
    commands: int
    loaded: int
    loaded_in_s: float
    erased: int
    unheard_actions: int
    reconciled: int
    latency_p50_ms: int | None
    latency_p99_ms: int | None
    rows: list[Row]


@dataclass(frozen=True)
class Summary:
    """What a run ends with. `faults`: what went wrong meanwhile, in words, and how often. `away_s`: how long the last store had lost its
    access or its project; the others' commands that were accepted in that time `went_on`.
    """

    seconds: int
    seed: int
    webhooks: int
    api_calls: int
    api_calls_per_1000_webhooks: float
    came_to_rest: bool
    rest_s: float
    away_s: float
    went_on: int
    stores: list[OfStore]
    faults: dict[str, int]

    @property
    def differences(self) -> int:
        return sum(len(row.wrong) for store in self.stores for row in store.rows)

    @property
    def right(self) -> bool:
        return self.came_to_rest and not self.differences and (self.went_on > 0 or not self.away_s)


def show(summary: Summary, faults: bool) -> None:
    """The table, and below it what differs; `faults`: above it what went wrong."""
    if faults:
        output.show(output.table(("what went wrong", "times"), [(what, f"{times:,}") for what, times in summary.faults.items() if times]))
        print()
    cells = [
        (rows[0].what, *(cell for row in rows for cell in (f"{row.in_shop:,}", f"{row.right:,}", str(len(row.wrong) or ""))))
        for rows in zip(*(store.rows for store in summary.stores), strict=True)
    ]
    columns = [name for store in summary.stores for name in (f"in {store.store}", "right", "differs")]
    table = output.table(("what is tracked", *columns), cells)
    for column in table.columns[1:]:
        column.justify = "right"
    output.show(table)
    wrong = [(f"{store.store}, {row.what}", problem) for store in summary.stores for row in store.rows for problem in row.wrong[:SHOWN_MAX]]
    for what, problem in wrong:
        output.show(Text(f"  {what}: {problem}"))
    loaded_in_s = max(store.loaded_in_s for store in summary.stores)
    at_rest = f"At rest {summary.rest_s:.0f} s after the shops." if summary.came_to_rest else "They did not come to rest."
    print(
        f"\n{both(summary, 'actions')} things happened in {summary.seconds} s and caused {summary.webhooks:,} webhooks; "
        f"{both(summary, 'commands')} commands reached Engagement.\n"
        f"{both(summary, 'loaded')} things of their past were loaded meanwhile, in {loaded_in_s:.0f} s.\n"
        f"{went_on(summary)}"
        f"{both(summary, 'erased')} people then asked to be erased, and were anonymized though their accounts still stand.\n"
        f"{lost_and_found(summary)}"
        f"From a webhook's receipt to Engagement's acceptance: {latencies(summary)}.\n"
        f"{at_rest} {summary.api_calls:,} BigCommerce API calls: {summary.api_calls_per_1000_webhooks:.0f} per 1,000 webhooks.\n"
    )
    again = f"The same lives again: cartstream demo{' --faults' * faults} --seconds {summary.seconds} --seed {summary.seed}"
    if not summary.came_to_rest:
        print(
            f"Something was still under way {summary.rest_s:.0f} s after the shops, so this says little: they did not come to rest. {again}"
        )
    elif summary.differences:
        print(f"{summary.differences} differences. {again}")
    elif not summary.right:
        print(f"Nothing of the other store was accepted while one was away. {again}")
    else:
        print("The shops and Engagement are the same.")


def both(summary: Summary, what: str) -> str:
    """That number of each store."""
    return " + ".join(f"{getattr(store, what):,}" for store in summary.stores)


def latencies(summary: Summary) -> str:
    def ms(found: int | None) -> str:
        return "none" if found is None else f"{found:,} ms"

    return "; ".join(f"{store.store} p50 {ms(store.latency_p50_ms)}, p99 {ms(store.latency_p99_ms)}" for store in summary.stores)


def went_on(summary: Summary) -> str:
    """The line about a store that was away, where one was."""
    if not summary.away_s:
        return ""
    away, *others = reversed([store.store for store in summary.stores])
    return (
        f"For {summary.away_s:.0f} s {away} had no access or no project; meanwhile {summary.went_on:,} commands of "
        f"{', '.join(others)} were accepted.\n"
    )


def lost_and_found(summary: Summary) -> str:
    """The line about what no webhook told, where there was anything."""
    *others, last = summary.stores
    if not last.unheard_actions:
        return ""
    lost = ", ".join(
        f"all webhooks about {store.unheard_actions} things in {store.store} were lost" for store in others if store.unheard_actions
    )
    return (
        f"Then all subscribers of {last.store} were deleted at once, of which BigCommerce tells nobody{', and ' * bool(lost)}{lost}.\n"
        f"A reconcile found {both(summary, 'reconciled')} things to read again.\n"
    )
