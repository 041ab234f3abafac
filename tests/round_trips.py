"""Round trips to a store, counted."""

from typing import Any

import pytest
from redis.asyncio.connection import AbstractConnection


@pytest.fixture
def trips(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """An element for each round trip to a store."""
    sent: list[int] = []
    send = AbstractConnection.send_packed_command

    async def counted(connection: Any, *arguments: Any, **named: Any) -> Any:
        sent.append(1)
        return await send(connection, *arguments, **named)

    monkeypatch.setattr(AbstractConnection, "send_packed_command", counted)
    return sent
