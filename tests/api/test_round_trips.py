"""What an operation asks the store, counted at a real one: each question is a wait, and part of the API's cost."""

from typing import Any

import pytest
from redis.asyncio.connection import AbstractConnection

from tests.api.conftest import Shopfront
from tests.api.test_jobs import form


@pytest.fixture
def trips(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    sent: list[int] = []
    send = AbstractConnection.send_packed_command

    async def counted(connection: Any, *arguments: Any, **named: Any) -> Any:
        sent.append(1)
        return await send(connection, *arguments, **named)

    monkeypatch.setattr(AbstractConnection, "send_packed_command", counted)
    return sent


async def test_reading_a_job_asks_who_and_what(shop: Shopfront, trips: list[int]) -> None:
    job = (await shop.client.post("/v1/jobs", **form())).json()
    trips.clear()
    answer = await shop.client.get(f"/v1/jobs/{job['id']}")
    assert (answer.status_code, len(trips)) == (200, 2)
    trips.clear()
    same = await shop.client.get(f"/v1/jobs/{job['id']}", headers={"If-None-Match": answer.headers["ETag"]})
    assert (same.status_code, len(trips)) == (304, 2)
