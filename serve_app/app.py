"""The HTTP face on Ray Serve: the one module of the package that knows Ray.

``serve deploy`` imports `build_app`; ``farm serve`` runs it on the farm of this home.
"""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import ray
from fastapi import FastAPI
from ray import serve
from ray.serve import Application
from ray.serve.config import HTTPOptions, ProxyLocation

from farm.domain.picture_address import PREFIX
from farm.errors import ClusterUnavailable
from farm.log import start_logging
from farm.settings import Settings
from serve_app.api import build_api, build_pictures
from serve_app.memory import give_back_memory
from serve_app.services import open_services, warmed

NAME, PICTURES = "farm-api", "farm-pictures"
ROUTER = "ray.serve.experimental.consistent_hash_router.ConsistentHashRouter"
MAX_PICTURES = 32
"""Requests for pictures in one replica at once; past them another replica takes more."""
MAX_ONGOING = 400
"""Requests in one replica at once, event streams among them."""


@serve.deployment(
    name="api",
    max_ongoing_requests=MAX_ONGOING,
    # What decodes and renders has its own processes; a replica only talks, and takes no slot from a render.
    ray_actor_options={"num_cpus": 0},
    health_check_period_s=5,
    graceful_shutdown_timeout_s=30,
)
@serve.ingress()
class Api:
    """A stateless replica: all state is in the store."""

    def __init__(self, settings: Settings, store_url: str) -> None:
        start_logging(settings, "api")
        self._settings = settings
        self._store_url = store_url

    def __serve_build_asgi_app__(self) -> FastAPI:
        from farm.actors.metrics_door import scrape

        return build_api(
            self._settings, lambda: open_services(self._settings, store_url=self._store_url, scrape=scrape)
        )


@serve.deployment(
    name="pictures",
    # More wait at the door of another replica, or here for their turn; as many as there are cores are made at once.
    max_ongoing_requests=MAX_PICTURES,
    ray_actor_options={"num_cpus": 0},
    health_check_period_s=5,
    graceful_shutdown_timeout_s=10,
    # Equal requests meet in one replica, which makes their picture once and has the design's print at hand.
    request_router_config={"request_router_class": ROUTER},
)
@serve.ingress()
class Pictures:
    """A replica that relights: what it keeps in memory can be made again, so it may die at any time."""

    def __init__(self, settings: Settings, store_url: str) -> None:
        start_logging(settings, "pictures")
        give_back_memory()
        self._settings = settings
        self._store_url = store_url

    def __serve_build_asgi_app__(self) -> FastAPI:
        return build_pictures(self._settings, lambda: warmed(open_services(self._settings, store_url=self._store_url)))


def build_app(args: Mapping[str, Any]) -> Application:
    """The application for a Serve config file; settings come from the environment of the replicas' node.

    Args:
        args: ``store_url``: the journal's Redis, where ``FARM_REDIS_URL`` does not name it;
            ``num_replicas``: a number, or ``auto``.
    """
    settings = Settings.load()
    return bind(
        settings, store_url=str(args.get("store_url") or settings.redis_url), num_replicas=args.get("num_replicas", 1)
    )


def build_pictures_app(args: Mapping[str, Any]) -> Application:
    """The pictures' application for a Serve config file.

    Args:
        args: ``store_url``, as for `build_app`.
    """
    settings = Settings.load()
    return bind_pictures(settings, store_url=str(args.get("store_url") or settings.redis_url))


def bind_pictures(settings: Settings, *, store_url: str) -> Application:
    """The pictures' application with everything it needs to know."""
    deployment: serve.Deployment = Pictures  # type: ignore[assignment]  # the decorators make one, untyped
    return deployment.bind(settings, store_url)


def bind(settings: Settings, *, store_url: str, num_replicas: int | str = 1) -> Application:
    """The application with everything it needs to know."""
    deployment: serve.Deployment = Api  # type: ignore[assignment]  # the decorators make one, untyped
    return deployment.options(num_replicas=num_replicas).bind(settings, store_url)


@contextmanager
def serving(settings: Settings, *, store_url: str, ray_address: str, host: str, port: int) -> Iterator[None]:
    """Run the application on the farm's Ray, as a driver of its own, until the end of the ``with``.

    Args:
        ray_address: of the farm's Ray; its token must be in the environment since before Ray was imported.
        host: the address to listen on; port: the port.

    Raises:
        ClusterUnavailable: when Ray cannot be joined, or Serve does not come up (the port may be taken).
    """
    logging.getLogger("ray.serve").setLevel(logging.WARNING)  # the command tells what there is to tell
    try:
        ray.init(address=ray_address, namespace="serve", log_to_driver=False, configure_logging=False)
    except (RuntimeError, ConnectionError, OSError, ValueError, ray.exceptions.RayError) as error:
        raise ClusterUnavailable(reason=f"the farm's Ray cannot be joined: {error}") from error
    try:
        try:
            serve.start(
                proxy_location=ProxyLocation.HeadOnly,
                # Streams end by themselves, and a big upload takes as long as it takes.
                http_options=HTTPOptions(host=host, port=port, request_timeout_s=None, keep_alive_timeout_s=75),
            )
            pictures = bind_pictures(settings, store_url=store_url)
            serve.run_many(
                [
                    serve.RunTarget(bind(settings, store_url=store_url), name=NAME, route_prefix="/"),
                    serve.RunTarget(pictures, name=PICTURES, route_prefix=PREFIX),
                ]
            )
        except (RuntimeError, OSError, ValueError, TimeoutError, ray.exceptions.RayError) as error:
            raise ClusterUnavailable(reason=f"the web service did not start: {error}") from error
        yield
    finally:
        with suppress(Exception):  # Ray may be gone already, and Serve with it
            serve.shutdown()  # type: ignore[no-untyped-call]
        ray.shutdown()
