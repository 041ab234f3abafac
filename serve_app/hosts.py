"""Which ``Host`` is answered: a page of another site whose name was made to lead here (DNS rebinding) tells by it."""

import re
from collections.abc import Iterable

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
ANY = "*"
PROBED = frozenset({"/healthz", "/readyz", "/metrics"})
"""Asked by load balancers, containers and Prometheus under whatever address a pod has; they tell no page anything:
the first two hold nothing of anybody, and metrics want a key, which a browser does not send to another name."""
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::[0-9]{0,5})?")


class Hosts:
    """The names that this service answers to.

    Args:
        names: as operators write them: case does not matter; ``*`` is every name.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._names = frozenset(_plain(name) for name in names)

    @classmethod
    def of(cls, setting: str) -> "Hosts":
        """The names of ``FARM_HTTP_HOSTS``; loopback where it is empty."""
        return cls([name.strip() for name in setting.split(",") if name.strip()] or LOOPBACK)

    def answer(self, host: str, method: str, path: str) -> bool:
        """Whether a request is answered.

        Args:
            host: the ``Host`` header as it came; one that is none is answered only to probes.
        """
        if path in PROBED and method in ("GET", "HEAD"):
            return True
        found = _HOST.fullmatch(host)
        return found is not None and (ANY in self._names or _plain(found[1]) in self._names)


def _plain(name: str) -> str:
    """A name as it is compared; a full stop at its end means the same name."""
    return name.lower().removesuffix(".")
