import os
from pathlib import Path

import pytest

from farm.home.folder import Home
from farm.home.token import know_token, operators_token, settle_token


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.setenv(name, "")  # so that it is as it was afterwards
        monkeypatch.delenv(name)
    return Home(tmp_path)


@pytest.mark.parametrize("kept", [None, "", "\n", "short"])
def test_a_token_is_made_and_a_weak_one_replaced(
    home: Home, kept: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    if kept is not None:
        home.token_file.write_text(kept)
    settle_token(home)
    made = home.token_file.read_text()
    assert len(made) == 64
    assert oct(home.token_file.stat().st_mode & 0o777) == "0o600"
    assert ("it was replaced" in caplog.text) == (kept is not None)
    settle_token(home)
    assert home.token_file.read_text() == made


def test_a_token_that_is_set_to_nothing_does_not_hide_the_homes(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    settle_token(home)
    monkeypatch.setenv("RAY_AUTH_TOKEN", "")
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", "")
    assert not operators_token()
    know_token(home, own=False)
    assert "RAY_AUTH_TOKEN" not in os.environ
    assert os.environ["RAY_AUTH_TOKEN_PATH"] == str(home.token_file)


def test_the_operators_token_opens_a_cluster_and_never_the_homes_own_ray(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    settle_token(home)
    monkeypatch.setenv("RAY_AUTH_TOKEN", "of the cluster")
    know_token(home, own=False)
    assert "RAY_AUTH_TOKEN_PATH" not in os.environ
    know_token(home, own=True)
    assert "RAY_AUTH_TOKEN" not in os.environ
    assert os.environ["RAY_AUTH_TOKEN_PATH"] == str(home.token_file)
