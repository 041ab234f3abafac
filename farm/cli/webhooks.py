"""``farm webhooks``: who is told of jobs, what was sent there, and sending it again."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from farm.cli.command import ask
from farm.cli.console import ago, err, out, print_json, seconds
from farm.domain.event import rfc3339
from farm.domain.ids import DEFAULT_TENANT
from farm.notify.delivery import Delivery, State
from farm.notify.endpoint import Endpoint
from farm.notify.ports import DeliveryPage

if TYPE_CHECKING:
    from farm.wiring import Farm

app = typer.Typer(
    help="Tell other services of jobs: add an address, look at what was sent, send it again (Standard Webhooks).",
    no_args_is_help=True,
)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, nothing else.")]
Tenant = Annotated[str, typer.Option("--tenant", help="Whose jobs it is told of.")]
Hook = Annotated[str, typer.Argument(metavar="WEBHOOK", help="Its id, as `farm webhooks list` shows it.")]

_STYLE = {State.DELIVERED: "green", State.FAILED: "red", State.ABANDONED: "yellow", State.PENDING: "cyan"}


@app.command()
def add(
    url: Annotated[str, typer.Argument(metavar="URL", help="https, on the open internet.")],
    event: Annotated[
        list[str] | None,
        typer.Option("--event", help="What it is told, such as render.job.completed; may be repeated. Default: all."),
    ] = None,
    name: Annotated[str, typer.Option("--name", help="What you call it.")] = "",
    secret: Annotated[str, typer.Option("--secret", help="whsec_… of your own; else one is made.")] = "",
    tenant: Tenant = DEFAULT_TENANT,
    as_json: AsJson = False,
) -> None:
    """Have an address told of jobs. Its secret is shown once; the receiver verifies signatures with it."""
    endpoint: Endpoint = ask(
        lambda farm: farm.webhooks.add(tenant=tenant, url=url, events=event or (), name=name, secret=secret)
    )
    _show_secret(endpoint, as_json, f"Webhook {endpoint.id} is added; its secret is not shown again:")
    if not as_json:
        err().print(f"Try it: farm webhooks test {endpoint.id}", soft_wrap=True)


@app.command(name="list")
def list_webhooks(tenant: Tenant = DEFAULT_TENANT, as_json: AsJson = False) -> None:
    """The webhooks there are, without their secrets."""
    endpoints: Sequence[Endpoint] = ask(lambda farm: farm.webhooks.list(tenant))
    if as_json:
        print_json([endpoint.shown() for endpoint in endpoints])
    elif not endpoints:
        err().print("No webhooks yet. `farm webhooks add URL` has an address told of jobs.")
    else:
        out().print(endpoints_table(endpoints))


@app.command()
def remove(webhook: Hook, tenant: Tenant = DEFAULT_TENANT) -> None:
    """Forget a webhook and the log of its deliveries."""
    ask(lambda farm: farm.webhooks.remove(tenant, webhook))
    err().print(f"Webhook {webhook} is removed.")


@app.command()
def rotate(webhook: Hook, tenant: Tenant = DEFAULT_TENANT, as_json: AsJson = False) -> None:
    """Replace its secret; for a day the one before signs beside the new one."""
    endpoint: Endpoint = ask(lambda farm: farm.webhooks.rotate(tenant, webhook))
    _show_secret(endpoint, as_json, f"Webhook {webhook} has a new secret; the one before signs for a day more:")


@app.command()
def enable(webhook: Hook, tenant: Tenant = DEFAULT_TENANT) -> None:
    """Take a disabled webhook into use again; abandoned deliveries wait for a replay."""
    ask(lambda farm: farm.webhooks.enable(tenant, webhook))
    err().print(f"Webhook {webhook} is enabled.")


@app.command()
def deliveries(
    webhook: Hook,
    state: Annotated[State | None, typer.Option("--state", help="Only these.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=1000, help="At most so many.")] = 20,
    tenant: Tenant = DEFAULT_TENANT,
    as_json: AsJson = False,
) -> None:
    """What was sent there, or is about to be, newest first."""
    page: DeliveryPage = ask(lambda farm: farm.webhooks.deliveries(tenant, webhook, state=state, limit=limit))
    if as_json:
        print_json([delivery.shown() for delivery in page.deliveries])
    elif not page.deliveries:
        err().print("Nothing was sent there yet.")
    else:
        out().print(deliveries_table(page.deliveries))


@app.command()
def replay(
    webhook: Hook,
    delivery: Annotated[str, typer.Argument(metavar="DELIVERY", help="Its id, msg_…")],
    tenant: Tenant = DEFAULT_TENANT,
    as_json: AsJson = False,
) -> None:
    """Send a delivery again, now, under the same webhook-id."""

    async def question(farm: "Farm") -> Delivery:
        return await farm.webhooks.bring(await farm.webhooks.replay(tenant, webhook, delivery))

    _tell(ask(question), as_json)


@app.command("test")
def send_test(webhook: Hook, tenant: Tenant = DEFAULT_TENANT, as_json: AsJson = False) -> None:
    """Send something harmless there, once and now."""
    _tell(ask(lambda farm: farm.webhooks.test(tenant, webhook)), as_json)


def _show_secret(endpoint: Endpoint, as_json: bool, words: str) -> None:
    if as_json:
        print_json({**endpoint.shown(), "secret": endpoint.secrets[0].text})
        return
    err().print(words, soft_wrap=True)
    print(endpoint.secrets[0].text)


def _tell(delivery: Delivery, as_json: bool) -> None:
    """What became of a delivery; the command fails where it did not arrive."""
    if as_json:
        print_json(delivery.shown())
    else:
        arrived = delivery.state is State.DELIVERED
        last = delivery.attempts[-1] if delivery.attempts else None
        words = "" if last is None else f"{last.error or f'status {last.status}'} after {seconds(last.took_s)}"
        mark = ("✓ ", "bold green") if arrived else ("✗ ", "bold red")
        out().print(Text.assemble(mark, (str(delivery.state), _STYLE[delivery.state]), "  ", words), soft_wrap=True)
        if delivery.state is State.PENDING and delivery.due_s is not None:
            err().print(f"It is tried again at {rfc3339(delivery.due_s)}, while the farm is up.")
    raise typer.Exit(0 if delivery.state is State.DELIVERED else 1)


def endpoints_table(endpoints: Sequence[Endpoint]) -> Table:
    """One row per webhook."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for column in ("webhook", "address", "state", "last arrived"):
        table.add_column(column, overflow="fold", no_wrap=column == "webhook")
    for endpoint in endpoints:
        state = Text("enabled", style="green")
        if endpoint.disabled is not None:
            state = Text.assemble(("disabled", "red"), f": {endpoint.disabled}")
        arrived = "never" if endpoint.delivered_s is None else ago(rfc3339(endpoint.delivered_s))
        table.add_row(endpoint.id, endpoint.url, state, arrived)
    return table


def deliveries_table(found: Sequence[Delivery]) -> Table:
    """One row per delivery."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for column in ("delivery", "event", "state", "tries", "last answer", "made"):
        table.add_column(column, overflow="fold", no_wrap=column == "delivery")
    for delivery in found:
        last = delivery.attempts[-1] if delivery.attempts else None
        table.add_row(
            delivery.id,
            delivery.type.removeprefix("render."),
            Text(str(delivery.state), style=_STYLE[delivery.state]),
            str(len(delivery.attempts)),
            "" if last is None else last.error or str(last.status),
            ago(rfc3339(delivery.created_s)),
        )
    return table
