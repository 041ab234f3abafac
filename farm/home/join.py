"""Join the farm of a home, or start it.

At most one *host* process lives in a home (`farm.actors.host`). It owns the store, Ray and the coordinators; commands
are clients and leave it alone when they end. A client takes three steps, the first two behind the home's gate, so that
a host cannot decide to end while somebody joins:

1. note its presence in ``clients/``, and what it needs: the store, or the whole farm;
2. start a host where none is alive;
3. wait until the host has what the client needs.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import fields
from typing import Any

import farm
from farm.errors import ClusterUnavailable, Conflict, InvalidSettings
from farm.home.folder import Home, Need, Order, settings_digest
from farm.home.state import HostState, Phase
from farm.settings import Settings, variable_of

AGREED = (
    "redis_url",
    "storage_url",
    "s3_endpoint_url",
    "s3_public_endpoint_url",
    "public_url",
    "shop_url",
    "ray_address",
    "templates",
)
"""Settings that say where things are: a client and its host must have the same."""

POLL_S = 0.05
DEAD_AFTER_S = 1.5

Notify = Callable[[HostState], None]


@asynccontextmanager
async def join(settings: Settings, need: Need, notify: Notify, *, stay: bool = False) -> AsyncIterator[HostState]:
    """Be a client of the home's host; starts one where none is up.

    Args:
        notify: called with each new state while waiting.
        stay: a host that is started, or found, shall outlive its clients.

    Yields:
        The host's state, with what ``need`` asks for up.

    Raises:
        Conflict: when a farm of another version is up in this home.
        InvalidSettings: when the farm that is up looks elsewhere than these settings say.
        ClusterUnavailable: when the host did not start.
    """
    home = Home(settings.home)
    home.create()
    with contextlib.ExitStack() as stack:
        while True:
            with home.try_gate() as free:
                state = home.host() if free else None
                if free and state is None:
                    stack.enter_context(home.present(need))
                    home.start_host(settings, stay=stay)
                    break
                if state is not None:
                    check_same(state, settings)
                    if not state.phase.leaving or (need is Need.STORE and state.phase is Phase.DRAINING):
                        stack.enter_context(home.present(need))
                        if stay and not state.stay:
                            home.order(state, Order.STAY)
                        break
            if state is not None:
                notify(state)
            await asyncio.sleep(POLL_S)
        yield await _until_up(home, need, notify)


_ENOUGH_TO_READ = (Phase.IDLE, Phase.RAY, Phase.COORDINATORS, Phase.READY, Phase.DRAINING)


async def _until_up(home: Home, need: Need, notify: Notify) -> HostState:
    last: HostState | None = None
    dead_since_s: float | None = None
    while True:
        state = HostState.read(home.state_file)
        if state is not None and state != last:
            last = state
            notify(state)
        if state is not None and state.phase is Phase.FAILED and state.error is not None:
            raise ClusterUnavailable(
                reason=f"{state.error['message'].rstrip('.')} ({state.error['code']}); `farm logs` shows more"
            )
        if state is not None and state.alive:
            dead_since_s = None
            if state.phase in (_ENOUGH_TO_READ if need is Need.STORE else (Phase.READY,)):
                return state
        else:
            # A host that found another one holding the lock ends, and the other one writes its state again.
            dead_since_s = dead_since_s or time.monotonic()
            if time.monotonic() - dead_since_s > DEAD_AFTER_S:
                phase = state.phase if state is not None else Phase.STARTING
                raise ClusterUnavailable(
                    reason=f"the farm's host ended in phase {phase}; the end of its log:\n{home.log_tail(8)}"
                )
        await asyncio.sleep(POLL_S)


def check_same(host: HostState, settings: Settings) -> None:
    """Refuse a host of another version or with other addresses.

    Raises:
        Conflict, InvalidSettings: see `join`.
    """
    if host.version != farm.__version__:
        raise Conflict(
            reason=f"a farm of version {host.version} is up in {settings.home}, this is {farm.__version__}: "
            "end it with `farm down`, or use another FARM_HOME"
        )
    for variable, own, theirs in differing(host, settings):
        if variable in agreed_variables():
            raise InvalidSettings(
                variable=variable, value=own,
                reason=f"the farm that is up in {settings.home} has {theirs!r}; use that, or end it with `farm down`",
            )  # fmt: skip


def agreed_variables() -> set[str]:
    """The variables of `AGREED`."""
    return {variable_of(setting) for setting in fields(Settings) if setting.name in AGREED}


def differing(host: HostState, settings: Settings) -> list[tuple[str, Any, Any]]:
    """Settings that the host has otherwise: variable, our value, its value."""
    own = settings_digest(settings)
    variables = {setting.name: variable_of(setting) for setting in fields(Settings)}
    return [
        (variables[name], value, host.settings[name])
        for name, value in own.items()
        if name in host.settings and host.settings[name] != value and name != "failpoints"
    ]
