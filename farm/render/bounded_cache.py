"""Values kept in memory by key, within so many bytes; each is made once, however many threads ask for it at once."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future


class BoundedCache[K: Hashable, V]:
    """The least recently used go when all together weigh too much; threads may share it.

    Args:
        most_bytes: of all values together; a heavier value is handed out and not kept.
        weigh: the bytes of a value.
    """

    def __init__(self, most_bytes: int, weigh: Callable[[V], int]) -> None:
        self._most_bytes = most_bytes
        self._weigh = weigh
        self._kept: OrderedDict[K, tuple[V, int]] = OrderedDict()
        self._coming: dict[K, Future[V]] = {}
        self._bytes = 0
        self._lock = threading.Lock()

    @property
    def size_bytes(self) -> int:
        """What the kept values weigh."""
        return self._bytes

    def get(self, key: K) -> V | None:
        """The value, if it is kept."""
        with self._lock:
            return self._get(key)

    def put(self, key: K, value: V) -> None:
        """Keep a value."""
        with self._lock:
            self._put(key, value)

    def made(self, key: K, make: Callable[[], V]) -> V:
        """The value that is kept, else what ``make`` makes; of threads that ask at once one makes it, and all get it.

        Raises:
            Whatever ``make`` raises, to all that waited for it; the next one that asks tries again.
        """
        ours: Future[V] = Future()
        with self._lock:
            kept = self._get(key)
            if kept is not None:
                return kept
            coming = self._coming.setdefault(key, ours)
        if coming is not ours:
            return coming.result()
        try:
            value = make()
        except BaseException as error:
            with self._lock:
                del self._coming[key]
            ours.set_exception(error)
            raise
        with self._lock:
            self._put(key, value)
            del self._coming[key]
        ours.set_result(value)
        return value

    def _get(self, key: K) -> V | None:
        found = self._kept.get(key)
        if found is None:
            return None
        self._kept.move_to_end(key)
        return found[0]

    def _put(self, key: K, value: V) -> None:
        old = self._kept.pop(key, None)
        self._bytes -= old[1] if old is not None else 0
        weight = self._weigh(value)
        if weight > self._most_bytes:
            return
        self._kept[key] = value, weight
        self._bytes += weight
        while self._bytes > self._most_bytes:
            _, (_, gone) = self._kept.popitem(last=False)
            self._bytes -= gone
