"""What a home's host says of itself: ``host.json``, written atomically by the host, read by every command."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any, Self

from farm.home import process


class Phase(StrEnum):
    """Where a host stands. Up to ``ready`` they come in this order; the store alone is enough for reading."""

    STARTING = "starting"
    STORE = "store"
    IDLE = "idle"
    RAY = "ray"
    COORDINATORS = "coordinators"
    READY = "ready"
    DRAINING = "draining"
    ENDING = "ending"
    FAILED = "failed"

    @property
    def leaving(self) -> bool:
        """Whether no new client may count on this host."""
        return self in (Phase.DRAINING, Phase.ENDING, Phase.FAILED)


@dataclass(frozen=True, slots=True, kw_only=True)
class HostState:
    """One reading of ``host.json``.

    Attributes:
        process: identity of the host (`farm.home.process`).
        version: the farm's version that the host runs.
        phase: what it does now; ``idle`` is a host with the store only.
        seconds: how long each finished phase took, in order.
        stay: whether it goes on without work and clients (`farm up`).
        store_url: where clients reach the journal; empty until it is up, or where ``FARM_REDIS_URL`` says so.
        ray_address: where another driver joins its Ray; empty until that is up.
        settings: the settings it runs with, secrets as digests.
        error: as `FarmError.to_dict`, of a host that could not start.
    """

    process: str
    version: str
    started_at_s: float
    phase: Phase = Phase.STARTING
    seconds: Mapping[str, float] = field(default_factory=dict)
    stay: bool = False
    store_url: str = ""
    ray_address: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    error: Mapping[str, Any] | None = None

    @property
    def alive(self) -> bool:
        return process.alive(self.process)

    def entering(self, phase: Phase, **changes: Any) -> Self:
        return replace(self, phase=phase, **changes)

    @classmethod
    def read(cls, path: Path) -> Self | None:
        """The state in ``path``; ``None`` when there is none or it is not one."""
        try:
            data = json.loads(path.read_text("utf-8"))
            return cls(**{**data, "phase": Phase(data["phase"])})
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def write(self, path: Path) -> None:
        """Replace ``path``; a reader sees the old state or the new one."""
        write_atomically(path, json.dumps(asdict(self), indent=1).encode())


def write_atomically(path: Path, data: bytes, *, durable: bool = False) -> None:
    """Write beside ``path``, then rename; the file is readable by its owner alone.

    Args:
        durable: it is on disk before it has its name, or a power failure could leave an empty file: for secrets.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.touch(mode=0o600)
    with beside.open("wb") as file:
        file.write(data)
        if durable:
            file.flush()
            os.fsync(file.fileno())
    beside.replace(path)
