import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from farm.adapters.embedded_store import EmbeddedStore
from farm.home import process
from farm.home.folder import MARK, Home
from tests.e2e.terminal import Terminal
from tests.web.conftest import browser, pictures

__all__ = ["browser", "pictures", "terminal"]


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    """A terminal with a home of its own, in which nothing runs any more at the end."""
    terminal = Terminal(tmp_path / "home")
    yield terminal
    host = Home(terminal.home).host()
    if host is not None:
        terminal.farm("down", "--now")
    store = EmbeddedStore.connect(terminal.home) if terminal.home.exists() else None
    if store is not None:
        store.stop()
    left = process.marked(MARK, str(terminal.home))
    process.end(left, grace_s=1.0)
    assert store is None, "the store outlived its host"
    assert left == [], subprocess.run(["ps", "-o", "pid,ppid,args"], capture_output=True, text=True, check=False).stdout
