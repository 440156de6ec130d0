"""The command line. Each command imports what it needs when it runs, so that `--help` is quick."""

import datetime
import sys
from typing import Annotated, Literal

import typer

from ops import exits
from schemas.failures import Failure

ABOUT = "Keeps Bloomreach Engagement true to a BigCommerce store. Settings are CARTSTREAM_* variables; `cartstream doctor` shows them."

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
store_app = typer.Typer(no_args_is_help=True)
dead_letters_app = typer.Typer(no_args_is_help=True)
app.add_typer(store_app, name="store", help="Stores: add one, list them.")
app.add_typer(dead_letters_app, name="dead-letters", help="What could not be processed, and why.")


@app.callback(help=ABOUT)
def before_each() -> None:
    """Nothing that a library logs gets between the results: a command says itself what went wrong."""
    from ops import logs

    logs.configure_quiet()


AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


EVENTS = typer.Option(
    metavar="all|none|since=DATE",
    help="Which orders of the past make their purchases in Engagement, by the time when they were made: all if not said, later as before.",
)


def _end(code: int) -> None:
    raise typer.Exit(code)


@app.command()
def demo(
    seconds: Annotated[int, typer.Option(min=1, help="How long the shop lives.")] = 60,
    seed: Annotated[int | None, typer.Option(help="Makes the same shop's life again.")] = None,
    faults: Annotated[bool, typer.Option("--faults", help="Much goes wrong meanwhile, and every part is killed, again and again.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show everything on this machine: a Kafka, two simulators, all stages, and at the end a comparison."""
    from ops.demo import main

    _end(main(seconds, seed, faults, as_json))


@app.command()
def up() -> None:
    """Run everything on this machine: ingest, upkeep and the three stages, with an embedded Kafka where CARTSTREAM_KAFKA is not set."""
    from ops import environment
    from ops.up import main

    _end(main(environment.load()))


@app.command()
def ingest() -> None:
    """Run ingest: the door for webhooks."""
    from ingest.app import main
    from ops import environment, logs

    logs.configure(part="ingest")
    _end(main(environment.load()))


@app.command()
def worker(
    stage: Annotated[
        Literal["upkeep", "fetch", "resolve", "deliver"],
        typer.Argument(help="The stage to work for; `upkeep` loads history, and compares each store once a day.", metavar="STAGE"),
    ],
) -> None:
    """Run one worker of upkeep or of a stage; start more of them, up to the number of partitions, where its lag grows."""
    from ops import environment
    from ops.worker import main

    _end(main(environment.load(), stage))


@app.command()
def topics(as_json: AsJson = False) -> None:
    """Create the topics, check those that are there, let new consumer groups begin at the beginning. Safe to repeat."""
    from ops import environment
    from ops.topics import main

    _end(main(environment.load(), as_json))


@store_app.command("add")
def store_add(
    store_hash: Annotated[str, typer.Argument(metavar="HASH", help="The store hash, as in store-HASH.mybigcommerce.com.")],
    engagement_url: Annotated[str, typer.Option(help="Engagement's API base URL.")],
    project: Annotated[str, typer.Option(help="Engagement's project token.")],
    secrets: Annotated[
        str,
        typer.Option(
            metavar="FILE",
            help="JSON with access_token, api_key_id, api_secret; where wanted client_secret, webhook_secret. `-` is stdin.",
        ),
    ],
    hooks: Annotated[bool, typer.Option("--hooks/--no-hooks", help="Create the store's webhooks.")] = True,
    shared_project: Annotated[
        bool, typer.Option("--shared-project", help="Other stores go to the project, too: ids bear the store's hash, for good.")
    ] = False,
    load: Annotated[bool, typer.Option("--backfill/--no-backfill", help="Load the store's history, if it was never asked for.")] = True,
    events: Annotated[str, EVENTS] = "",
) -> None:
    """Add a store by its own API account, or mend one that is there: checks both keys, creates the webhooks. Safe to repeat."""
    from ops import environment
    from ops.stores import Wanted, add, read_secrets

    wanted = Wanted(store_hash, engagement_url, project, hooks, read_secrets(secrets), shared_project, events)
    _end(add(environment.load(), wanted, load=load))


@store_app.command("list")
def store_list(as_json: AsJson = False) -> None:
    """List the stores and where their people go."""
    from ops import environment
    from ops.stores import list_stores

    _end(list_stores(environment.load(), as_json))


@app.command()
def backfill(
    store: Annotated[str | None, typer.Argument(metavar="STORE", help="The store's hash; may be left out with --status.")] = None,
    only: Annotated[
        list[str] | None, typer.Option(metavar="customers|subscribers|orders|products", help="Load that only; may be repeated.")
    ] = None,
    since: Annotated[str, typer.Option(metavar="DATE", help="Load only what was modified from then on (UTC).")] = "",
    restart: Annotated[bool, typer.Option("--restart", help="Begin anew, whatever was loaded before.")] = False,
    events: Annotated[str, EVENTS] = "",
    rewrite: Annotated[
        bool,
        typer.Option("--rewrite", help="With --only products: write all their catalog items, also what has not changed since it was sent."),
    ] = False,
    status: Annotated[bool, typer.Option("--status", help="Show how far it is, and what it waits for.")] = False,
    as_json: AsJson = False,
) -> None:
    """Load a store's history: customers, subscribers, orders, products. Goes on where it stopped; safe to repeat, and to interrupt."""
    from ops import environment
    from ops.backfill import Wanted, main

    _end(main(environment.load(), store, Wanted(tuple(only or ()), since, events, restart, rewrite), status=status, as_json=as_json))


@app.command()
def lag(
    as_json: AsJson = False,
    watch: Annotated[bool, typer.Option("--watch", help="Show it again every two seconds until Ctrl-C.")] = False,
) -> None:
    """Show how far each stage is behind, and what it waits for."""
    from ops import environment
    from ops.lag import main

    _end(main(environment.load(), as_json, watch))


@dead_letters_app.command("list")
def dead_letters_list(as_json: AsJson = False) -> None:
    """List what could not be processed, the newest last."""
    from ops import environment
    from ops.dead_letters import main

    _end(main(environment.load(), as_json))


@app.command()
def erase(
    email: Annotated[str, typer.Argument(metavar="EMAIL", help="Whose; `-` reads it from stdin, where no shell's history keeps it.")],
    store: Annotated[str | None, typer.Option(metavar="HASH", help="In this store's project only.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    wait: Annotated[float, typer.Option(min=0, help="Seconds to wait until Engagement has taken it.")] = 120,
    as_json: AsJson = False,
) -> None:
    """Anonymize one person on request, in all projects, and print a receipt; what they do later starts a new profile."""
    from ops import environment
    from ops.erase import main

    _end(main(environment.load(), email, store, as_json, yes, wait))


@app.command()
def reconcile(
    store_hash: Annotated[str, typer.Argument(metavar="STORE", help="The store hash.")],
    only: Annotated[list[str] | None, typer.Option(help="customers, subscribers, orders or products only; may be given again.")] = None,
    since: Annotated[
        datetime.datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="What was modified from this day on (UTC); nothing is found gone then."),
    ] = None,
    margin: Annotated[float, typer.Option(min=0, help="What changed within so many seconds is under way, and no difference.")] = 600,
    all_gone: Annotated[
        bool, typer.Option("--all-gone", help="Look also where more than 100 customers are newly not in the store any more.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Compare a store's customers, subscribers, orders and products with what is held, and read again what differs.

    Carts cannot be listed. Of a customer an address or attribute, of a product a variant's price or stock that alone changed is not seen.
    """
    from ops import environment
    from ops.reconcile import main

    since_ms = int(since.replace(tzinfo=datetime.UTC).timestamp() * 1000) if since else 0
    _end(main(environment.load(), store_hash, [*(only or [])], since_ms, margin, all_gone, as_json))


@app.command()
def doctor(
    as_json: AsJson = False,
    new_key: Annotated[bool, typer.Option("--new-key", help="Print a new CARTSTREAM_SECRET_KEY and do nothing else.")] = False,
) -> None:
    """Check settings, Kafka, topics, and each store's token, hooks and Engagement key; say how to mend what is wrong."""
    from ops import doctor as examination

    if new_key:
        _end(examination.print_new_key())
    from ops import environment

    _end(examination.main(environment.load(), as_json))


@app.command()
def schemas() -> None:
    """Write the JSON Schema and AsyncAPI files in schemas/ and the tables of docs/tracking.md anew."""
    from schemas import generate, tracking_document

    for path in [*generate.main(), tracking_document.main()]:
        print(path)


def main() -> None:
    """Runs the command that the arguments name. Ends the process: 0 done, 1 failed, 2 wrong usage, 3 not reachable."""
    try:
        app(prog_name="cartstream")
    except Failure as error:
        print(f"cartstream: {error}", file=sys.stderr)
        sys.exit(exits.code_of(error))
