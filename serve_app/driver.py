"""The process that has Ray Serve run the application: ``python -m serve_app.driver``, a child of ``farm serve``.

It is a process of its own because Ray ends its drivers when its own processes die, and ``farm serve`` must outlive
them. It serves until its input is closed, in whichever way its parent ends, and tells on its output, a JSON object in a
line, that it is ``ready`` or what its ``error`` was.
"""

import argparse
import contextlib
import json
import sys
from typing import Any

from farm.errors import FarmError, describe
from farm.home.folder import Home
from farm.home.token import know_token
from farm.settings import Settings


def main() -> int:
    """Serve; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m serve_app.driver", description=__doc__.splitlines()[0])
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--store-url", default="")
    parser.add_argument("--ray-address", required=True)
    arguments = parser.parse_args()
    settings = Settings.load()
    know_token(Home(settings.home), own=not settings.ray_address)
    from serve_app.app import serving

    try:
        with serving(
            settings,
            store_url=arguments.store_url or settings.redis_url,
            ray_address=arguments.ray_address,
            host=arguments.host,
            port=arguments.port,
        ):
            _tell({"ready": True})
            sys.stdin.buffer.read()
    except FarmError as error:
        _tell({"error": describe(error)})
        return 1
    return 0


def _tell(message: dict[str, Any]) -> None:
    with contextlib.suppress(BrokenPipeError):  # the parent is gone
        sys.stdout.write(json.dumps(message) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
