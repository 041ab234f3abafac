"""The host of a ``FARM_HOME``: the one long-lived process that owns its store, its Ray and its coordinators.

``python -m farm.actors.host --home DIR [--stay]``. Commands start it, join it and leave it (`farm.home`); it runs in a
session of its own, so that Ctrl-C in a terminal does not reach it. For clients that only read it starts no Ray. Without
``--stay`` it ends some seconds after the last client has gone and the last job has ended.

What a killed host leaves behind is known by a mark in its environment: the next host ends it before it starts anew, and
the journal says where each job stood.
"""

import argparse
import asyncio
import contextlib
import fcntl
import logging
import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import farm
from farm.actors.preview_door import preview_door
from farm.adapters.embedded_store import EmbeddedStore
from farm.adapters.private_folder import private_folder
from farm.adapters.redis_board import RedisBoard
from farm.adapters.redis_link import translated
from farm.adapters.temp_folders import TempFolders
from farm.concurrency import stop_all
from farm.errors import (
    ClusterUnavailable,
    FarmError,
    InfrastructureError,
    InvalidSettings,
    StoreUnavailable,
    StoreUnfit,
    describe,
)
from farm.home import process
from farm.home.folder import MARK, Home, Need, Order, settings_digest
from farm.home.state import HostState, Phase
from farm.home.token import operators_token, settle_token
from farm.log import start_logging
from farm.render.census import EVERY_S, Census
from farm.settings import Settings

if TYPE_CHECKING:
    from farm.wiring import Farm

log = logging.getLogger("farm.host")

LOOK_S = 0.2
COUNT_JOBS_S = 1.0
LINGER_S = 4.0
"""How long a host that is not asked to stay waits for another client."""
LAST_CLIENTS_S = 10.0
"""How long a host that goes down waits for its clients to say goodbye."""
LOCK_PATIENCE_S = 2.0
GRACE_S = 0.5
COORDINATORS_S = 60.0
GIVE_BACK_S = 10.0
"""How long coordinators may take to put down what runs and give their jobs back; a lease lapses in about that time."""
RAY_ATTEMPTS = 3
KEPT_SESSIONS = 3
"""Former sessions of Ray whose logs are kept."""
OBJECT_STORE_BYTES = 256 * 2**20
"""Ray's shared memory: no picture passes through it, only small answers."""


class AnotherHost(Exception):
    """This home has a host already."""


class RayDied(Exception):
    """One of the processes of this host's own Ray ended, without which the others are of no use."""


class Host:
    """One host, from its start to its end.

    Args:
        stay: it goes on without clients and jobs.
        anew: how often in a row it has begun anew without being ready; more than none: it starts everything, unasked.
        born_with: the environment of this process before Ray's was added.
    """

    def __init__(self, settings: Settings, *, stay: bool, anew: int, born_with: Mapping[str, str]) -> None:
        self._settings = settings
        self._anew = anew
        self._born_with = born_with
        self._home = Home(settings.home)
        self._state = HostState(
            process=str(process.identity()),
            version=farm.__version__,
            started_at_s=time.time(),
            stay=stay,
            settings=settings_digest(settings),
        )
        self._phase_since_s = time.monotonic()
        self._stack = AsyncExitStack()
        self._farm: Farm | None = None
        self._store: EmbeddedStore | None = None
        self._coordinators: list[Any] = []
        self._run_actor: Any = None
        self._courier: Any = None
        self._census: asyncio.Task[None] | None = None
        self._asked: Order | None = None
        self._live_jobs: int | None = None
        self._counted_s = 0.0
        self._busy_s = time.monotonic()

    async def run(self) -> int:
        """Until it is told to end, or nobody needs it any more; the exit code."""
        try:
            with _locked(self._home):
                self._end_leftovers()
                self._hear_signals()
                try:
                    await self._start_store()
                    await self._serve()
                    if self._state.phase is not Phase.ENDING:
                        self._enter(Phase.ENDING)
                except Exception as error:
                    died = [] if self._settings.ray_address else _ended_of_ray()
                    if died and self._anew < RAY_ATTEMPTS:
                        self._begin_anew(died[0])
                    log.exception("the host cannot go on")
                    self._enter(Phase.FAILED, error=_in_one_line(error))
                    await self._close()
                    return 1
                except BaseException:
                    await self._close()
                    raise
                await self._close()
                self._home.state_file.unlink(missing_ok=True)
                return 0
        except AnotherHost:
            log.warning("another host is up in %s: this one ends", self._home.path)
            return 0

    # --- phases -----------------------------------------------------------------------------------------------------

    def _enter(self, phase: Phase, **changes: object) -> None:
        now_s = time.monotonic()
        former = self._state.phase
        if former in (Phase.STORE, Phase.RAY, Phase.COORDINATORS) and phase is not Phase.FAILED:
            took_s = round(now_s - self._phase_since_s, 3)
            changes["seconds"] = {**self._state.seconds, str(former): took_s}
        self._phase_since_s = now_s
        self._state = self._state.entering(phase, **changes)
        self._state.write(self._home.state_file)
        log.info("%s", phase)

    async def _start_store(self) -> None:
        from farm.wiring import open_farm

        self._enter(Phase.STORE)
        url = self._settings.redis_url
        if not url:
            self._store = await asyncio.to_thread(EmbeddedStore.start, self._home.path)
            url = self._store.url
        self._farm = await self._stack.enter_async_context(open_farm(self._settings, store_url=url))
        await self._try_store()
        await self._stack.enter_async_context(preview_door(self._settings, self._farm.store, self._home.preview_socket))
        # The address of somebody else's store may hold a password; clients have it from their own settings.
        self._enter(Phase.IDLE, store_url="" if self._settings.redis_url else url)

    async def _try_store(self) -> None:
        """Refuse at once a store that would refuse every job.

        Raises:
            StoreUnfit: saying why.
        """
        assert self._farm is not None
        try:
            await self._farm.sagas.ping()
        except StoreUnfit:
            raise
        except StoreUnavailable as error:
            log.warning("the store is away, it is waited for: %s", error)

    def _start_farm(self) -> None:
        self._enter(Phase.RAY)
        for attempt in range(1, RAY_ATTEMPTS + 1):
            try:
                # In the main thread: Ray's processes are bound to the life of the thread that starts them.
                _start_ray(self._settings, self._home)
                break
            except ClusterUnavailable as error:
                # Ray looks for free ports and takes them later: two that start at once may want the same.
                if attempt == RAY_ATTEMPTS or self._settings.ray_address:
                    raise
                log.warning("Ray did not start, trying again: %s", error)
                _forget_ray()
                self._end_leftovers()
        if self._settings.ray_address:
            self._inspect_nodes()
        self._hear_signals()  # Ray has put its own handler in the place of ours
        self._enter(Phase.COORDINATORS)
        import ray

        from farm.actors.coordinator import start_coordinators

        self._census = asyncio.create_task(self._take_census())
        self._coordinators = start_coordinators(
            self._settings, store_url=self._state.store_url or self._settings.redis_url
        )
        self._await_coordinators()
        self._enter(Phase.READY, ray_address=ray.get_runtime_context().gcs_address)

    def _await_coordinators(self) -> None:
        """Until all answer. Blocks, and looks meanwhile whether what they need lives.

        Raises:
            RayDied, ray.exceptions.RayError: when they do not.
        """
        import ray

        pings = [coordinator.ping.remote() for coordinator in self._coordinators]
        deadline_s = time.monotonic() + COORDINATORS_S
        while time.monotonic() < deadline_s:
            if not ray.wait(pings, num_returns=len(pings), timeout=LOOK_S)[1]:
                break
            self._tend_store()
            self._tend_ray()
        ray.get(pings, timeout=LOOK_S)

    def _inspect_nodes(self) -> None:
        """Refuse a cluster whose nodes would render something else, or reach nothing. Blocks.

        Raises:
            ClusterUnavailable: naming them.
        """
        import ray

        from farm.actors.inspection import inspect, require_fit

        nodes = ray.nodes()  # type: ignore[no-untyped-call]
        log.info("inspecting %d nodes", len(nodes))
        looking = inspect(self._settings, self._state.store_url or self._settings.redis_url, nodes)
        with ThreadPoolExecutor(1) as beside:  # this thread has a loop that runs
            require_fit(beside.submit(asyncio.run, looking).result())

    async def _take_census(self) -> None:
        """Count, for as long as this farm's Ray is up: it is Ray that exports the figures."""
        from farm.actors.meter import RayMeter

        assert self._farm is not None
        redis = self._farm.redis

        async def used_bytes() -> int:
            with translated():
                return int((await redis.info("memory"))["used_memory"])

        census = Census(
            meter=RayMeter(),
            sagas=self._farm.sagas,
            board=RedisBoard(redis),
            used_bytes=used_bytes,
            disk_free_bytes=lambda: shutil.disk_usage(self._home.path).free,
        )
        while True:
            try:
                await census.take()
            except Exception:
                log.exception("a census failed; the next one comes")
            await asyncio.sleep(EVERY_S)

    def _start_run_actor(self) -> None:
        from farm.actors.catalog_run import start_run_actor

        log.info("there is a catalogue run: starting its actor")
        self._run_actor = start_run_actor(self._settings, self._state.store_url or self._settings.redis_url)

    async def _look_for_webhooks(self) -> None:
        """Most farms have no webhooks, and no process for them."""
        assert self._farm is not None
        if self._courier is None and await self._farm.webhooks.book.any():
            from farm.actors.courier import start_courier

            log.info("there are webhooks: starting their courier")
            store_url = self._state.store_url or self._settings.redis_url
            self._courier = await asyncio.to_thread(start_courier, self._settings, store_url)

    # --- living -----------------------------------------------------------------------------------------------------

    async def _serve(self) -> None:
        while True:
            self._obey()
            needs = self._home.needs()
            if self._asked is Order.NOW:
                log.info("told to stop at once; jobs go on at the next start")
                return
            if self._state.phase is Phase.IDLE and (self._state.stay or self._anew or Need.FARM in needs):
                self._start_farm()
            self._tend_store()
            self._tend_ray()
            await self._count_jobs()
            if needs or self._live_jobs or self._live_jobs is None:
                self._busy_s = time.monotonic()
            if self._asked is Order.DOWN:
                if self._state.phase is not Phase.DRAINING:
                    self._enter(Phase.DRAINING)
                if self._live_jobs == 0 and await self._clients_gone():
                    # A client that has just gone may have left a job behind: only a count made since then tells.
                    await self._count_jobs(anew=True)
                    if self._live_jobs == 0:
                        return
            elif not self._state.stay and time.monotonic() - self._busy_s > LINGER_S and self._may_end():
                return
            self._keep_state()
            await asyncio.sleep(LOOK_S)

    def _obey(self) -> None:
        order = self._home.take_order(self._state)
        if order is Order.STAY:
            self._state = replace(self._state, stay=True)
            self._state.write(self._home.state_file)
            log.info("asked to stay")
        elif order is not None:
            self._asked = order

    def _tend_store(self) -> None:
        """Start the embedded store again if it died; sagas wait for it meanwhile."""
        if self._store is None or (self._store.alive and self._store.has_socket):
            return
        if self._store.alive:
            log.error("the store's socket was removed; starting the store again")
            self._store.stop()
        else:
            log.error("the store died; starting it again")
        self._store = EmbeddedStore.start(self._home.path)

    def _tend_ray(self) -> None:
        """See that the processes live which this host's own Ray cannot do without.

        They do not come back by themselves, and others notice only after minutes.

        Raises:
            RayDied: naming one that does not.
        """
        if not self._settings.ray_address:
            for name in _ended_of_ray():
                raise RayDied(f"Ray's {name} died")

    async def _count_jobs(self, *, anew: bool = False) -> None:
        """How many jobs need this host: all that have not ended, where there is somebody to run them."""
        if self._state.phase is Phase.IDLE:
            self._live_jobs = 0
            return
        if not anew and time.monotonic() - self._counted_s < COUNT_JOBS_S:
            return
        assert self._farm is not None
        try:
            runs = await self._farm.catalogues.live_count()
            self._live_jobs = await self._farm.service.live_count() + runs
            if runs and self._run_actor is None:
                self._start_run_actor()
            await self._look_for_webhooks()
        except FarmError as error:
            self._live_jobs = None
            log.warning("cannot count the jobs: %s", error)
        self._counted_s = time.monotonic()

    def _may_end(self) -> bool:
        """Decide to end, unless a client just came: they pass the same gate."""
        with self._home.try_gate() as free:
            if not free or self._home.needs():
                return False
            self._enter(Phase.ENDING)
            return True

    async def _clients_gone(self) -> bool:
        deadline_s = time.monotonic() + LAST_CLIENTS_S
        while self._home.needs() and time.monotonic() < deadline_s and self._asked is not Order.NOW:
            self._obey()
            await asyncio.sleep(LOOK_S)
        return True

    def _keep_state(self) -> None:
        """Write the state again where a host that came too late has put its own."""
        found = HostState.read(self._home.state_file)
        if found is None or found.process != self._state.process:
            self._state.write(self._home.state_file)

    # --- ending -----------------------------------------------------------------------------------------------------

    def _hear_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.add_signal_handler(number, self._stop)

    def _stop(self) -> None:
        self._asked = Order.NOW

    async def _close(self) -> None:
        """Give up what this host owns: Ray first, whose workers still write, the store last."""
        if self._census is not None:
            await stop_all(self._census)
        if "ray" in sys.modules:
            import ray

            beside = [self._run_actor]
            if not self._settings.ray_address:  # on a cluster it goes on: what waits for hours waits for no host
                beside.append(self._courier)
            actors = [*self._coordinators, *(actor for actor in beside if actor is not None)]
            stopping = [actor.stop.remote() for actor in actors]
            if stopping:
                await asyncio.to_thread(ray.wait, stopping, num_returns=len(stopping), timeout=GIVE_BACK_S)
            await asyncio.to_thread(ray.shutdown)
        self._end_leftovers()
        await asyncio.to_thread(TempFolders.of(self._settings).sweep_dead)
        await self._stack.aclose()
        if self._store is not None:
            with contextlib.suppress(FarmError):
                await asyncio.to_thread(self._store.stop)

    def _begin_anew(self, what: str) -> NoReturn:
        """Be a new host in this process: whoever joined this one stays joined, and the store lives.

        Ray's part in this process cannot be relied on any more, not even to say goodbye.
        """
        log.error("%s, a part of Ray, died: the host begins anew; jobs go on where the journal has them", what)
        anew = 1 if self._state.phase in (Phase.READY, Phase.DRAINING) else self._anew + 1
        self._enter(Phase.STARTING, ray_address="")
        if self._asked is not None:
            self._home.order(self._state, self._asked)
        self._end_leftovers()
        command = self._home.host_command(stay=self._state.stay, anew=anew)
        os.execve(command[0], command, self._born_with)

    def _end_leftovers(self) -> None:
        """End every process that a host of this home started; a live host's own children are ended with it."""
        own = process.identity()
        left = [found for found in process.marked(MARK, str(self._home.path)) if found != own]
        if left:
            log.info("ending %d processes that were left over", len(left))
            process.end(left, grace_s=GRACE_S)


def _in_one_line(error: Exception) -> dict[str, Any]:
    """The error for those who wait: of one that came through Ray the last line, which names the cause."""
    if isinstance(error, FarmError):
        return describe(error)
    lines = [line for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    return InfrastructureError(reason=lines[-1].strip()[:300]).to_dict()


@contextmanager
def _locked(home: Home) -> Iterator[None]:
    """Be the home's host.

    Raises:
        AnotherHost: when there is one.
    """
    deadline_s = time.monotonic() + LOCK_PATIENCE_S
    with home.lock_file.open("ab") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline_s:
                    raise AnotherHost from None
                time.sleep(LOOK_S)
        yield


def _start_ray(settings: Settings, home: Home) -> None:
    """Start a Ray of the farm's own, or join the one that ``RAY_ADDRESS`` names.

    Raises:
        InvalidSettings: when Ray's authentication is switched off, or the cluster has hosts that cannot reach what
            the farm keeps here.
        ClusterUnavailable: when Ray does not come up.
    """
    from farm.actors.options import NAMESPACE, node_environment, require_shared_storage

    mode = os.environ.get("RAY_AUTH_MODE", "token")
    if mode != "token":
        raise InvalidSettings(variable="RAY_AUTH_MODE", value=mode, reason="the farm runs with Ray's tokens only")
    wanted = node_environment(settings)
    if settings.ray_address:
        # The cluster has its own token; where to find it is the operator's to say.
        if operators_token() or not home.token_file.exists():
            del wanted["RAY_AUTH_TOKEN_PATH"]
    else:
        settle_token(home)
        os.environ.pop("RAY_AUTH_TOKEN", None)
    # Ray reads its environment when it is imported, and its children inherit it, with the mark to find them by.
    os.environ.update(wanted)
    os.environ[MARK] = str(home.path)
    os.environ["SPT_NOENV"] = "1"  # or Ray would write its processes' titles over the mark
    os.environ["RAY_COLOR_PREFIX"] = "0"  # the host's log is a file

    import ray

    try:
        if settings.ray_address:
            ray.init(address=settings.ray_address, namespace=NAMESPACE, log_to_driver=True)
        else:
            ray.init(
                address="local",
                namespace=NAMESPACE,
                include_dashboard=False,
                object_store_memory=OBJECT_STORE_BYTES,
                log_to_driver=True,
                _metrics_export_port=settings.metrics_port or None,
                # Ray opens its folder to everybody; the one above it stays ours alone.
                _temp_dir=str(_sessions_folder(home, settings.log_days) / "ray"),
            )
    except Exception as error:  # of a node that is slow to start, Ray raises a plain one
        raise ClusterUnavailable(reason=f"{type(error).__name__}: {error}") from error
    require_shared_storage(settings, ray.nodes())  # type: ignore[no-untyped-call]


def _ended_of_ray() -> list[str]:
    """Of the Ray that this process started: control store and raylet, where they have ended."""
    if "ray" not in sys.modules:
        return []
    from farm.actors.ray_internals import ended_processes

    return [kind for kind in ended_processes() if kind in ("gcs_server", "raylet")]


def _forget_ray() -> None:
    """Undo a start that failed half way."""
    import ray

    ray.shutdown()


def _sessions_folder(home: Home, log_days: float) -> Path:
    """Where Ray keeps its sessions, the older ones and their logs gone.

    Raises:
        PermissionError: when it is not ours alone.
    """
    folder = private_folder(home.short_folder)
    sessions = sorted(folder.glob("ray/session_2*"))
    before_s = time.time() - log_days * 86_400.0
    for number, old in enumerate(sessions, 1):
        if number <= len(sessions) - KEPT_SESSIONS or old.stat().st_mtime < before_s:
            shutil.rmtree(old, ignore_errors=True)
    return folder


def main() -> None:
    """Parse the command line and be the host."""
    parser = argparse.ArgumentParser(prog="python -m farm.actors.host", description=__doc__.splitlines()[0])
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--stay", action="store_true", help="go on without clients and jobs")
    parser.add_argument("--anew", type=int, default=0, help="how often it has begun anew: start everything, unasked")
    arguments = parser.parse_args()
    os.environ["FARM_HOME"] = str(arguments.home.absolute())
    born_with = dict(os.environ)
    settings = Settings.load()
    start_logging(settings)
    Home(settings.home).create()
    host = Host(settings, stay=arguments.stay, anew=arguments.anew, born_with=born_with)
    sys.exit(asyncio.run(host.run()))


if __name__ == "__main__":
    main()
