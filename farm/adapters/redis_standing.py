"""What a Redis server is to the farm now: primary or replica, durable or not. Every new connection asks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from farm.adapters.redis_errors import NO_FILE_WORDS, REPLICA_WORDS, UNKNOWN_WORDS
from farm.errors import StoreEvicts, StoreNotDurable, StoreTooOld, StoreUnfit

QUESTIONS: tuple[tuple[str | int, ...], ...] = (("INFO",), ("CONFIG", "GET", "append*"), ("WAITAOF", 1, 0, 1))
"""Hosted servers and careful ACLs refuse some of them, so each says part of what the others say.

On a connection that has written nothing, WAITAOF answers at once.
"""
_NAMELESS = "a server that does not say what it is"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What the server was when it was asked.

    Attributes:
        name: and version, for a person.
        replica: whether it takes no writes because it follows another.
        keeps: whether its append-only file is on; ``None`` where it does not say.
        always: whether it answers a write only when that is on disk.
        confirms: whether it can be asked (WAITAOF) that a write is on disk.
        refuses: why it cannot be asked; empty where it can.
        policy: its ``maxmemory-policy``; empty where it does not say.
        clustered: whether it is one of a Redis Cluster.
    """

    name: str = _NAMELESS
    replica: bool = False
    keeps: bool | None = None
    always: bool = False
    confirms: bool = False
    refuses: str = ""
    policy: str = ""
    clustered: bool = False

    @classmethod
    def of(cls, answers: Sequence[Any]) -> "Standing":
        """From the answers to `QUESTIONS`; a refusal is an exception among them."""
        info, config = _info(answers[0]), _pairs(answers[1])
        refusal = str(answers[2]) if isinstance(answers[2], Exception) else ""
        keeps = {"0": False, "1": True}.get(info.get("aof_enabled", ""))
        if config.get("appendonly") in ("yes", "no"):
            keeps = config["appendonly"] == "yes"
        if refusal.startswith(NO_FILE_WORDS):
            keeps = False
        version = info.get("valkey_version") or info.get("redis_version", "")
        return cls(
            name=f"{info.get('server_name', 'redis')} {version}" if version else _NAMELESS,
            replica=info.get("role") == "slave" or refusal.startswith(REPLICA_WORDS),
            keeps=keeps,
            always=config.get("appendfsync") == "always",
            # A refusal for the file or the role is none of the command.
            confirms=not refusal or refusal.startswith((NO_FILE_WORDS, REPLICA_WORDS)),
            refuses=refusal,
            policy=info.get("maxmemory_policy", ""),
            clustered=info.get("cluster_enabled") == "1",
        )

    @property
    def trouble(self) -> StoreUnfit | None:
        """Why nothing may be accepted on its word; ``None`` when it may."""
        if self.keeps is False:
            return StoreNotDurable(reason=f"{self.name} runs with appendonly no")
        if not self.confirms and not (self.keeps and self.always):
            why = "has no WAITAOF" if UNKNOWN_WORDS in self.refuses else f"refuses WAITAOF ({self.refuses[:120]})"
            return StoreTooOld(reason=f"{self.name} {why}, and does not say that it runs with appendfsync always")
        if self.policy not in ("", "noeviction"):
            return StoreEvicts(reason=f"{self.name} runs with maxmemory-policy {self.policy}")
        return None


def _info(answer: Any) -> Mapping[str, str]:
    if isinstance(answer, Exception):
        return {}
    text = answer.decode(errors="replace") if isinstance(answer, bytes) else str(answer)
    return dict(line.split(":", 1) for line in text.splitlines() if ":" in line and not line.startswith("#"))


def _pairs(answer: Any) -> Mapping[str, str]:
    if isinstance(answer, Exception):
        return {}
    texts = [part.decode(errors="replace") if isinstance(part, bytes) else str(part) for part in answer]
    return dict(zip(texts[::2], texts[1::2], strict=False))
