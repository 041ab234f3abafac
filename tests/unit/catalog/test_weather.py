"""Which errors say nothing about a row, and how long they are waited out."""

from random import Random

import pytest

from farm.errors import (
    BadPicture,
    BakeMissing,
    ClusterUnavailable,
    DesignNotFound,
    DiskFull,
    FailpointReached,
    FarmError,
    FetchFailed,
    ObjectMissing,
    ShopRefused,
    ShopUnavailable,
    StorageForbidden,
    StorageUnavailable,
    StoreUnavailable,
)
from farm.render.catalog.weather import Weatherproof, is_weather
from farm.saga.retry import RetryPolicy

WEATHER = [StoreUnavailable, StorageUnavailable, StorageForbidden, ClusterUnavailable, ShopUnavailable, DiskFull]
OF_THE_ROW = [FetchFailed, DesignNotFound, BakeMissing, BadPicture, ObjectMissing, ShopRefused]


@pytest.mark.parametrize("kind", WEATHER + OF_THE_ROW)
def test_only_the_farms_own_services_are_weather(kind: type[FarmError]) -> None:
    assert is_weather(kind()) == (kind in WEATHER)


@pytest.mark.parametrize("failures", [1, 3, 4, 5_000])
def test_an_outage_is_waited_out_and_nothing_else_is(failures: int) -> None:
    policy = Weatherproof.of(RetryPolicy(max_attempts=4, base_s=1.0, max_wait_s=30.0))

    def wait_s(error: FarmError) -> float | None:
        return policy.wait_s(error, failures=failures, elapsed_s=80_000.0, rng=Random(7))

    outage_s = wait_s(StorageUnavailable())
    assert outage_s is not None
    assert 0 <= outage_s <= 30
    assert (wait_s(FailpointReached()) is None) == (failures >= 4)
    assert wait_s(StorageForbidden()) is None, "no waiting opens a door that is shut"
