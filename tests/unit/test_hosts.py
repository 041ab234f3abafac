"""Which ``Host`` is answered."""

import pytest

from serve_app.hosts import PROBED, Hosts


@pytest.mark.parametrize(
    ("setting", "host", "answered"),
    [
        ("", "localhost", True),
        ("", "127.0.0.1:8000", True),
        ("", "[::1]:8000", True),
        ("", "[::1", False),
        ("", "10.2.3.4", False),
        ("", "", False),
        ("farm.example, Other.Example", "FARM.example:443", True),
        ("farm.example, Other.Example", "farm.example.", True),
        ("farm.example, Other.Example", "other.example", True),
        ("farm.example", "localhost", False),
        ("farm.example", "farm.example:abc", False),
        ("farm.example", "x@farm.example", False),
        ("farm.example", "farm.example/x", False),
        ("farm.example", "farm.example evil", False),
        ("*", "anything.example:1", True),
        ("*", "[::1", False),
        ("*", "a b", False),
    ],
)
def test_the_names_that_are_answered(setting: str, host: str, answered: bool) -> None:
    assert Hosts.of(setting).answer(host, "GET", "/v1/jobs") is answered


@pytest.mark.parametrize("host", ["10.2.3.4:8000", "localhost", "", "[::1"])
def test_probes_are_answered_under_every_name_but_only_to_be_read(host: str) -> None:
    hosts = Hosts.of("farm.example")
    for path in PROBED:
        assert hosts.answer(host, "GET", path)
        assert hosts.answer(host, "HEAD", path)
        assert not hosts.answer(host, "POST", path)
        assert not hosts.answer(host, "GET", path + "/")
