"""What is kept in memory: within its bytes, and each made once."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from farm.render.bounded_cache import BoundedCache


def test_the_least_recently_used_go_when_it_is_too_much() -> None:
    cache: BoundedCache[str, bytes] = BoundedCache(10, len)
    for key in "abc":
        cache.put(key, b"1234" if key != "c" else b"12")
    assert cache.get("a") == b"1234"
    cache.put("d", b"123")
    assert (cache.get("b"), cache.get("a"), cache.size_bytes) == (None, b"1234", 9)
    cache.put("a", b"1")
    assert cache.size_bytes == 6


def test_what_is_heavier_than_all_is_handed_out_and_not_kept() -> None:
    cache: BoundedCache[str, bytes] = BoundedCache(3, len)
    cache.put("small", b"1")
    assert cache.made("big", lambda: b"12345") == b"12345"
    assert (cache.get("big"), cache.get("small"), cache.size_bytes) == (None, b"1", 1)


def test_threads_that_ask_at_once_get_what_one_of_them_made() -> None:
    cache: BoundedCache[str, bytes] = BoundedCache(100, len)
    asked, made = threading.Barrier(4), []

    def make() -> bytes:
        made.append(1)
        return b"x"

    def ask() -> bytes:
        asked.wait(5)
        return cache.made("a", make)

    with ThreadPoolExecutor(4) as pool:
        found = [future.result() for future in [pool.submit(ask) for _ in range(4)]]
    assert (found, len(made)) == ([b"x"] * 4, 1)


def test_a_failure_is_everybodys_who_waits_and_the_next_one_tries_again() -> None:
    cache: BoundedCache[str, bytes] = BoundedCache(100, len)
    begun, goes_on = threading.Event(), threading.Event()

    def fail() -> bytes:
        begun.set()
        goes_on.wait(5)
        raise RuntimeError("no")

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(cache.made, "a", fail)
        begun.wait(5)
        second = pool.submit(cache.made, "a", lambda: b"never")
        while not second.running():
            pass
        goes_on.set()
        with pytest.raises(RuntimeError, match="no"):
            first.result()
        assert second.exception() is not None or second.result() == b"never", "it came late and made its own"
    assert cache.made("b", lambda: b"y") == b"y"
