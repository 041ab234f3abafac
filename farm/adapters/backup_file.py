"""A store in a file: everything a farm's Redis keeps, key by key, as text that any Redis can be given back.

The file is gzip over JSON, one value a line: a head, then ``[key, kind, expires_at_ms, value]`` for each key, then a
foot with their number, without which the file is broken. Whatever lives less than an hour (heartbeats, limits, the
board) is left out: it would be stale anyhow. Kinds are Redis' own; a text that is no UTF-8 stands as ``{"b64": …}``.

The file holds the farm's API keys (hashed) and the secret that signs sessions: it is written for its owner alone.
"""

import base64
import gzip
import json
import os
import shutil
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis

import farm
from farm.adapters.redis_blocking import open_blocking, require_fit
from farm.adapters.redis_board import BOARD
from farm.adapters.redis_link import translated
from farm.adapters.store_keys import KEYS
from farm.errors import BackupBroken, Conflict, StoreUnavailable
from farm.render.cluster import STALE_S

FORMAT, VERSION = "tshirt-farm backup", 1
KEPT_LEAST_MS = 3_600_000
"""What lives no longer than this is not worth a backup."""
PAUSE_S = 60.0
CHUNK = 500
EPOCHS = KEYS.epochs
EPOCH_STEP = 1 << 32
"""Added to every counter of epochs at a restore: whoever got a lease after the backup must not look like its holder."""
RESTORING = KEYS.of("restoring")

type Value = str | dict[str, str]
type Row = tuple[Value, str, int | None, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Backup:
    """What was written or read.

    Attributes:
        keys: how many.
        size_bytes: of the file.
        paused_s: how long writers had to wait; ``None`` where the server does not let itself be paused, so that what
            was written meanwhile may be there in part.
        made_at_s: when, seconds since 1970.
        version: of the farm that wrote it.
    """

    keys: int
    size_bytes: int
    paused_s: float | None
    made_at_s: float
    version: str


# --- writing ------------------------------------------------------------------------------------------------------


def write_backup(url: str, path: Path, *, pause_s: float = PAUSE_S) -> Backup:
    """Write the store at ``url`` into ``path``, as it is at one moment: writers wait until it is read. Blocks.

    Args:
        pause_s: the longest that writers may have to wait.

    Raises:
        StoreUnavailable: when the store does not answer, or reading it takes longer; there is no file then.
    """
    began_s = time.time()
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    head = {"format": FORMAT, "version": VERSION, "farm": farm.__version__, "made_at_s": round(began_s, 3)}
    # Compressed only when nobody waits any more.
    with tempfile.TemporaryFile(dir=path.parent) as spool:
        with _client(url) as client, translated(), _paused(client, pause_s) as pause:
            keys = 0
            for row in _rows(client):
                spool.write(_line(row))
                keys += 1
                pause.check()
        spool.seek(0)
        try:
            with _packed(unfinished) as file:
                file.write(_line(head))
                shutil.copyfileobj(spool, file)
                file.write(_line({"keys": keys}))
            os.replace(unfinished, path)
        finally:
            unfinished.unlink(missing_ok=True)
    return Backup(
        keys=keys,
        size_bytes=path.stat().st_size,
        paused_s=pause.took_s,
        made_at_s=began_s,
        version=farm.__version__,
    )


@dataclass(slots=True)
class _Pause:
    began_s: float
    limit_s: float
    took_s: float | None = None

    def check(self) -> None:
        if time.monotonic() - self.began_s > self.limit_s:
            reason = f"reading it took longer than the {self.limit_s:g} s for which writers may wait; use --pause"
            raise StoreUnavailable(reason=reason)


@contextmanager
def _paused(client: redis.Redis, limit_s: float) -> Iterator[_Pause]:
    """Hold up whoever writes; readers go on."""
    pause = _Pause(time.monotonic(), limit_s)
    try:
        client.client_pause(round(limit_s * 1000), all=False)
        paused = True
    except redis.ResponseError:  # some hosted servers do not allow it
        paused = False
    try:
        yield pause
    finally:
        if paused:
            client.client_unpause()
            pause.took_s = time.monotonic() - pause.began_s


def _line(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode() + b"\n"


@contextmanager
def _packed(path: Path) -> Iterator[gzip.GzipFile]:
    """A compressed file for the owner alone, on disk at the end."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "wb") as file:
        with gzip.GzipFile(fileobj=file, mode="wb", compresslevel=3, mtime=0) as packed:
            yield packed
        file.flush()
        os.fsync(file.fileno())


def _rows(client: redis.Redis) -> Iterator[Row]:
    """Every key that is worth keeping."""
    now_ms = int(time.time() * 1000)
    for keys in _chunks(client):
        pipeline = client.pipeline(transaction=False)
        for key in keys:
            pipeline.type(key)
            pipeline.pttl(key)
        told = pipeline.execute()
        kept = [
            (key, kind.decode(), None if left_ms < 0 else now_ms + left_ms)
            for key, kind, left_ms in zip(keys, told[::2], told[1::2], strict=True)
            if kind != b"none" and not 0 <= left_ms <= KEPT_LEAST_MS
        ]
        for key, kind, _ in kept:
            _KINDS[kind].ask(pipeline, key)
        answers = iter(pipeline.execute())
        for key, kind, expires_ms in kept:
            yield _text(key), kind, expires_ms, _KINDS[kind].pack([next(answers) for _ in range(_KINDS[kind].answers)])


def _chunks(client: redis.Redis) -> Iterator[list[bytes]]:
    """All keys, each once: a scan may name some twice."""
    seen: set[bytes] = set()
    chunk: list[bytes] = []
    for key in client.scan_iter(count=1000):
        if key in seen:
            continue
        seen.add(key)
        chunk.append(key)
        if len(chunk) == CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


# --- reading ------------------------------------------------------------------------------------------------------


def read_backup(url: str, path: Path, *, replace: bool = False) -> Backup:
    """Give the store at ``url`` back what ``path`` holds; the whole file is checked first. Blocks.

    Jobs that ran when it was written are taken up by the next coordinator, where they were then.

    Args:
        replace: whether what the store holds may go.

    Raises:
        BackupBroken: when it is no backup, or not all of one; the store is as it was then.
        Conflict: when the store holds something, or a farm is at work on it.
        StoreUnavailable: when the store does not answer; what was written until then is marked as unfinished, and
            another restore begins anew.
    """
    head, keys = check_backup(path)
    with _client(url) as client, translated():
        require_fit(client)
        if _coordinated(client):
            raise Conflict(reason="coordinators are at work on this store; end the farm first")
        if client.dbsize() and not client.exists(RESTORING) and not replace:
            raise Conflict(reason="the store is not empty; --replace removes what it holds")
        client.flushdb()
        client.set(RESTORING, path.name)
        pipeline = client.pipeline(transaction=False)
        for number, row in enumerate(_lines(path, head=False)):
            if not isinstance(row, list):
                break
            key, kind, expires_ms, value = row
            _KINDS[kind].give(pipeline, _raw(key), value)
            if expires_ms is not None:
                pipeline.pexpireat(_raw(key), int(expires_ms))
            if number % CHUNK == CHUNK - 1:
                pipeline.execute()
        for counter in EPOCHS:
            pipeline.incrby(counter, EPOCH_STEP)
        pipeline.delete(RESTORING)
        pipeline.execute()
    return Backup(
        keys=keys,
        size_bytes=path.stat().st_size,
        paused_s=None,
        made_at_s=float(head["made_at_s"]),
        version=str(head["farm"]),
    )


def _coordinated(client: redis.Redis) -> bool:
    """Whether a coordinator posted on the board lately."""
    posts: Any = client.hgetall(BOARD)
    moments = [int(told) for name, told in posts.items() if name.endswith(b"@")]
    seconds, _ = client.time()
    return any(seconds * 1000 - moment < STALE_S * 1000 for moment in moments)


def check_backup(path: Path) -> tuple[Mapping[str, Any], int]:
    """Read the whole file; its head, and how many keys it has.

    Raises:
        BackupBroken: when it is no backup, or not all of one, or of a newer format.
    """
    lines = _lines(path, head=True)
    head = next(lines, None)
    if not isinstance(head, dict) or head.get("format") != FORMAT:
        raise BackupBroken(path=str(path), reason="it is no backup of a farm")
    if int(head["version"]) > VERSION:
        raise BackupBroken(path=str(path), reason=f"a newer farm ({head['farm']}) wrote it")
    keys = 0
    for line in lines:
        if isinstance(line, dict):
            if line.get("keys") != keys:
                break
            return head, keys
        if len(line) != 4 or line[1] not in _KINDS:
            break
        keys += 1
    raise BackupBroken(path=str(path), reason=f"it ends or breaks off after {keys} keys")


def _lines(path: Path, *, head: bool) -> Iterator[Any]:
    try:
        with gzip.open(path, "rb") as file:
            for number, line in enumerate(file):
                if number or head:
                    yield json.loads(line)
    except FileNotFoundError:
        raise BackupBroken(path=str(path), reason="there is no such file") from None
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise BackupBroken(path=str(path), reason=str(error)) from error


# --- kinds --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Kind:
    """How one of Redis' kinds is asked for, put into a file, and given back."""

    ask: Callable[[Any, bytes], object]
    pack: Callable[[Sequence[Any]], Any]
    give: Callable[[Any, bytes, Any], object]
    answers: int = 1


def _pairs(value: Mapping[bytes, bytes]) -> list[list[Value]]:
    return [[_text(name), _text(text)] for name, text in value.items()]


def _ask_stream(pipeline: Any, key: bytes) -> None:
    pipeline.xrange(key)
    pipeline.xinfo_stream(key)


def _pack_stream(answers: Sequence[Any]) -> Any:
    found, about = answers
    last = about.get("last-generated-id", about.get(b"last-generated-id"))
    return {"last": _text(last), "items": [[_text(position), _pairs(fields)] for position, fields in found]}


def _give_stream(pipeline: Any, key: bytes, value: Any) -> None:
    for position, fields in value["items"]:
        pipeline.execute_command("XADD", key, _raw(position), *(_raw(part) for pair in fields for part in pair))
    if not value["items"]:  # it had been trimmed to nothing; its numbers must go on all the same
        pipeline.execute_command("XADD", key, _raw(value["last"]), "f", "v")
        pipeline.execute_command("XTRIM", key, "MAXLEN", 0)
    pipeline.execute_command("XSETID", key, _raw(value["last"]))


_KINDS: Mapping[str, _Kind] = {
    "string": _Kind(
        lambda pipeline, key: pipeline.get(key),
        lambda answers: _text(answers[0]),
        lambda pipeline, key, value: pipeline.set(key, _raw(value)),
    ),
    "hash": _Kind(
        lambda pipeline, key: pipeline.hgetall(key),
        lambda answers: _pairs(answers[0]),
        lambda pipeline, key, value: pipeline.hset(key, items=[_raw(part) for pair in value for part in pair]),
    ),
    "list": _Kind(
        lambda pipeline, key: pipeline.lrange(key, 0, -1),
        lambda answers: [_text(item) for item in answers[0]],
        lambda pipeline, key, value: pipeline.rpush(key, *(_raw(item) for item in value)),
    ),
    "set": _Kind(
        lambda pipeline, key: pipeline.smembers(key),
        lambda answers: sorted((_text(item) for item in answers[0]), key=str),
        lambda pipeline, key, value: pipeline.sadd(key, *(_raw(item) for item in value)),
    ),
    "zset": _Kind(
        lambda pipeline, key: pipeline.zrange(key, 0, -1, withscores=True),
        lambda answers: [[_text(item), repr(float(score))] for item, score in answers[0]],
        lambda pipeline, key, value: pipeline.zadd(key, {_raw(item): float(score) for item, score in value}),
    ),
    "stream": _Kind(_ask_stream, _pack_stream, _give_stream, answers=2),
}


def _text(raw: bytes | str) -> Value:
    if isinstance(raw, str):
        return raw
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return {"b64": base64.b64encode(raw).decode()}


def _raw(value: Value) -> bytes:
    return value.encode() if isinstance(value, str) else base64.b64decode(value["b64"])


def _client(url: str) -> redis.Redis:
    return open_blocking(url, timeout_s=60.0, socket_connect_timeout=5.0)
