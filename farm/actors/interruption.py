"""Spot interruption: a node that is about to be taken away is drained, so that no new view starts on it.

``python -m farm.actors.interruption`` runs beside a worker node's Ray. It asks the instance's metadata every few
seconds; upon a notice it has Ray drain the node: what runs may finish until the end, everything else goes elsewhere. It
ends when the node's Ray does. Knows Ray by its command alone.
"""

import argparse
import json
import logging
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

log = logging.getLogger("farm.interruption")

METADATA = "http://169.254.169.254"
"""Where a machine on EC2 asks about itself; link-local, so no other machine answers there."""
LOOK_S = 5.0
ANSWER_S = 2.0
TOKEN_S = 21_600
PATIENCE = 12
"""Looks that may find no metadata at all before this is taken for no spot instance."""
MARGIN_S = 5
"""Taken off the time that is left: Ray's own clock may differ."""
DRAIN_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """What the cloud said.

    Attributes:
        action: ``terminate``, ``stop`` or ``hibernate``; all of them end what runs here.
        at: when.
    """

    action: str
    at: datetime

    @classmethod
    def parse(cls, text: str) -> "Notice":
        """Read ``spot/instance-action``.

        Raises:
            ValueError: when it is something else.
        """
        told = json.loads(text)
        if not isinstance(told, dict) or not isinstance(told.get("action"), str) or "time" not in told:
            raise ValueError(f"no interruption notice: {text[:200]!r}")
        at = datetime.fromisoformat(str(told["time"]))
        return cls(action=told["action"], at=at if at.tzinfo else at.replace(tzinfo=UTC))

    def left_s(self, now: datetime) -> int:
        """Whole seconds until then, with a margin; never negative."""
        return max(0, int((self.at - now).total_seconds()) - MARGIN_S)


class NoMetadata(Exception):
    """Nobody answers where the metadata of an instance should be."""


class Metadata:
    """The instance's metadata, version 2: every question with a session token."""

    def __init__(self, address: str = METADATA) -> None:
        self._address = address
        # A proxy of the environment must not be asked about this machine.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        self._token = ""

    def notice(self) -> Notice | None:
        """The notice, if there is one.

        Raises:
            NoMetadata: when nothing answers, or not in this language.
        """
        try:
            return self._ask()
        except urllib.error.HTTPError as error:
            if error.code != 401:
                raise NoMetadata(str(error)) from error
        except (OSError, ValueError) as error:
            raise NoMetadata(str(error)) from error
        self._token = ""  # it has expired
        try:
            return self._ask()
        except (OSError, ValueError) as error:
            raise NoMetadata(str(error)) from error

    def _ask(self) -> Notice | None:
        if not self._token:
            lasting = {"X-aws-ec2-metadata-token-ttl-seconds": str(TOKEN_S)}
            self._token = self._open("PUT", "/latest/api/token", lasting)
        try:
            told = self._open(
                "GET", "/latest/meta-data/spot/instance-action", {"X-aws-ec2-metadata-token": self._token}
            )
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return None
            raise
        return Notice.parse(told)

    def _open(self, method: str, path: str, headers: dict[str, str]) -> str:
        request = urllib.request.Request(self._address + path, method=method, headers=headers)
        with self._opener.open(request, timeout=ANSWER_S) as answer:
            return str(answer.read(65_536).decode())


@dataclass(frozen=True, slots=True, kw_only=True)
class Raylet:
    """This machine's member of the cluster."""

    node_id: str
    gcs_address: str

    @classmethod
    def here(cls, proc: Path = Path("/proc")) -> "Raylet | None":
        """The raylet that runs on this machine, known by how it was started; ``None`` where there is none."""
        for command_line in proc.glob("[0-9]*/cmdline"):
            try:
                words = command_line.read_bytes().decode(errors="replace").split("\0")
            except OSError:
                continue
            if not words[0].endswith("/raylet"):
                continue
            told = dict(word.lstrip("-").replace("-", "_").split("=", 1) for word in words[1:] if "=" in word)
            if "node_id" in told and "gcs_address" in told:
                return cls(node_id=told["node_id"], gcs_address=_given(words, "gcs-address"))
        return None


def _given(words: list[str], name: str) -> str:
    """An argument's value, as it was written."""
    spellings = (f"--{name}=", f"--{name.replace('-', '_')}=")
    return next(word.split("=", 1)[1] for word in words if word.startswith(spellings))


def drain(raylet: Raylet, notice: Notice, now: datetime) -> bool:
    """Have Ray start nothing more here; ``False`` when it could not be told."""
    command = [
        str(Path(sys.executable).parent / "ray"),
        "drain-node",
        f"--address={raylet.gcs_address}",
        f"--node-id={raylet.node_id}",
        "--reason=DRAIN_NODE_REASON_PREEMPTION",
        f"--reason-message=spot interruption: {notice.action} at {notice.at:%H:%M:%S} UTC",
        f"--deadline-remaining-seconds={notice.left_s(now)}",
    ]
    try:
        told = subprocess.run(command, capture_output=True, text=True, timeout=DRAIN_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        log.error("the node cannot be drained: %s", error)
        return False
    if told.returncode != 0:
        log.error("the node cannot be drained: %s", (told.stderr or told.stdout).strip()[-500:])
        return False
    log.warning("draining: %s in %d s", notice.action, notice.left_s(now))
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """Looks until the node is drained, or there is nothing to look at.

    Attributes:
        find: this machine's raylet.
        tell: has it drained.
        now: the time; pause: waits so many seconds.
    """

    metadata: Metadata
    find: Callable[[], Raylet | None] = Raylet.here
    tell: Callable[[Raylet, Notice, datetime], bool] = drain
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    pause: Callable[[float], None] = time.sleep

    def run(self) -> int:
        """Until the end; the exit code."""
        silent = 0
        while True:
            raylet = self.find()
            if raylet is None:
                log.info("there is no Ray here (any more)")
                return 0
            try:
                notice = self.metadata.notice()
                silent = 0
            except NoMetadata as error:
                notice = None
                silent += 1
                if silent >= PATIENCE:
                    log.warning("there is no instance metadata here: %s", error)
                    return 1
            if notice is not None and self.tell(raylet, notice, self.now()):
                return 0
            self.pause(LOOK_S)


def main() -> None:
    """Parse the command line and watch."""
    parser = argparse.ArgumentParser(
        prog="python -m farm.actors.interruption", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--metadata", default=METADATA, metavar="ADDRESS", help="where the metadata is asked for")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    sys.exit(Watch(metadata=Metadata(arguments.metadata)).run())


if __name__ == "__main__":
    main()
