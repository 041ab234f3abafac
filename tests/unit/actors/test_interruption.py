"""A spot notice, from a metadata server on loopback to the command that drains the node."""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from farm.actors import interruption
from farm.actors.interruption import Metadata, NoMetadata, Notice, Raylet, Watch

NOW = datetime(2026, 11, 27, 8, 0, tzinfo=UTC)
RAYLET = Raylet(node_id="ab" * 28, gcs_address="10.0.0.1:6379")


@dataclass
class Instance:
    """A machine's metadata as EC2 serves it: nothing without a token, nothing about an end that is not near."""

    address: str = ""
    notice: dict[str, Any] | None = None
    tokens: set[str] = field(default_factory=set)

    def forget_tokens(self) -> None:
        self.tokens.clear()


@pytest.fixture
def instance() -> Iterator[Instance]:
    here = Instance()

    class Answers(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            if self.path != "/latest/api/token" or not self.headers.get("X-aws-ec2-metadata-token-ttl-seconds"):
                self._say(400)
                return
            token = f"token-{len(here.tokens)}-{id(object())}"
            here.tokens.add(token)
            self._say(200, token)

        def do_GET(self) -> None:
            if self.headers.get("X-aws-ec2-metadata-token") not in here.tokens:
                self._say(401)
            elif self.path != "/latest/meta-data/spot/instance-action" or here.notice is None:
                self._say(404)
            else:
                self._say(200, json.dumps(here.notice))

        def _say(self, status: int, text: str = "") -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    here.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield here
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_quiet_instance_has_no_notice_and_an_old_token_is_renewed(instance: Instance) -> None:
    metadata = Metadata(instance.address)
    assert metadata.notice() is None
    instance.forget_tokens()
    assert metadata.notice() is None


def test_a_notice_drains_the_node_with_the_time_that_is_left(instance: Instance) -> None:
    told: list[tuple[Raylet, int]] = []
    looks = iter(range(100))

    def pause(seconds: float) -> None:
        if next(looks) == 2:
            instance.notice = {"action": "terminate", "time": f"{NOW + timedelta(seconds=120):%Y-%m-%dT%H:%M:%SZ}"}

    def tell(raylet: Raylet, notice: Notice, now: datetime) -> bool:
        told.append((raylet, notice.left_s(now)))
        return len(told) == 2  # Ray does not listen at first

    watch = Watch(metadata=Metadata(instance.address), find=lambda: RAYLET, tell=tell, now=lambda: NOW, pause=pause)
    assert watch.run() == 0
    assert told == [(RAYLET, 115), (RAYLET, 115)]


def test_it_ends_with_its_ray_and_where_no_instance_is() -> None:
    nobody = Metadata("http://127.0.0.1:9")
    with pytest.raises(NoMetadata):
        nobody.notice()
    pauses: list[float] = []
    assert Watch(metadata=nobody, find=lambda: None, pause=pauses.append).run() == 0
    assert pauses == []
    assert Watch(metadata=nobody, find=lambda: RAYLET, pause=pauses.append).run() == 1
    assert len(pauses) == interruption.PATIENCE - 1


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"action": 3, "time": "x"}', '{"action": "stop", "time": "soon"}'])
def test_something_else_is_no_notice(text: str) -> None:
    with pytest.raises(ValueError):
        Notice.parse(text)


def test_a_late_notice_leaves_no_time() -> None:
    assert Notice.parse('{"action": "stop", "time": "2026-11-27T07:59:00Z"}').left_s(NOW) == 0


def test_the_raylet_is_found_by_how_it_was_started(tmp_path: Path) -> None:
    def process(pid: str, *words: str) -> None:
        (tmp_path / pid).mkdir()
        (tmp_path / pid / "cmdline").write_bytes("\0".join(words).encode())

    process("10", "/bin/sh", "raylet", "--node_id=no")
    assert Raylet.here(tmp_path) is None
    process("11", "/opt/ray/core/src/ray/raylet/raylet", "--node_id=abc", "--labels={}", "--gcs-address=10.0.0.1:6379")
    assert Raylet.here(tmp_path) == Raylet(node_id="abc", gcs_address="10.0.0.1:6379")


def test_ray_is_told_by_its_own_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = tmp_path / "told"
    ray = tmp_path / "ray"
    ray.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > {told}\ncase $3 in *bad*) echo no >&2; exit 1;; esac\n')
    ray.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    notice = Notice(action="terminate", at=NOW + timedelta(seconds=100))
    assert interruption.drain(RAYLET, notice, NOW)
    assert told.read_text().splitlines() == [
        "drain-node",
        "--address=10.0.0.1:6379",
        f"--node-id={RAYLET.node_id}",
        "--reason=DRAIN_NODE_REASON_PREEMPTION",
        "--reason-message=spot interruption: terminate at 08:01:40 UTC",
        "--deadline-remaining-seconds=95",
    ]
    assert not interruption.drain(Raylet(node_id="bad", gcs_address=""), notice, NOW)
    ray.unlink()
    assert not interruption.drain(RAYLET, notice, NOW)
