"""Ray's token of a home: whoever has it may run code in the farm, so it is never empty and never short."""

import logging
import os
import secrets

from farm.home.folder import Home
from farm.home.state import write_atomically

log = logging.getLogger(__name__)

LEAST_CHARACTERS = 32
_SAYING_WHERE = ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH")


def settle_token(home: Home) -> None:
    """Make the token where there is none, replace a weak one; only for the home's host, before it starts Ray."""
    try:
        kept = home.token_file.read_text("utf-8", "replace").strip()
    except FileNotFoundError:
        kept = None
    if kept is None or len(kept) < LEAST_CHARACTERS:
        if kept is not None:
            log.warning("Ray's token in %s was empty or short: it was replaced", home.token_file)
        write_atomically(home.token_file, secrets.token_hex(32).encode(), durable=True)
    home.token_file.chmod(0o600)


def know_token(home: Home, *, own: bool) -> None:
    """Have the token in the environment, which Ray reads when it is imported.

    Args:
        own: whether the Ray is the host's own, whose token is the home's; else the one that the operator names wins.
    """
    os.environ.setdefault("RAY_AUTH_MODE", "token")
    for name in _SAYING_WHERE:
        if own or not os.environ.get(name):  # set to nothing it would be no token, and hide the home's
            os.environ.pop(name, None)
    if home.token_file.exists() and not operators_token():
        os.environ["RAY_AUTH_TOKEN_PATH"] = str(home.token_file)


def operators_token() -> bool:
    """Whether the environment says where the token is."""
    return any(os.environ.get(name) for name in _SAYING_WHERE)
