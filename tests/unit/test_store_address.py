"""An address of the store that is none is a wrong setting, and is never shown: it holds the password."""

import traceback

import pytest

from farm.doctor import parts
from farm.errors import InvalidSettings
from farm.settings import Settings
from farm.wiring import open_farm

MALFORMED = ["redis://:se/cret@h:1/0", "nonsense", "redis://:secret@h:port/0", "redis://:secret@[::1/0"]


@pytest.mark.parametrize("address", MALFORMED)
async def test_a_malformed_address_is_refused_and_not_repeated(address: str) -> None:
    with pytest.raises(InvalidSettings) as refused:
        async with open_farm(Settings(redis_url=address), store_url=address):
            raise AssertionError("it was opened")
    assert (refused.value.variable, refused.value.value) == ("FARM_REDIS_URL", "(hidden)")
    shown = "".join(traceback.format_exception(refused.value)).replace(__file__, "")
    told = shown[shown.index("InvalidSettings:") :]
    assert address not in told
    assert "cret" not in told
    assert "'se'" not in shown


@pytest.mark.parametrize("address", MALFORMED)
def test_the_doctor_does_not_repeat_it_either(address: str) -> None:
    with pytest.raises(InvalidSettings) as refused:
        parts.check_store(Settings(redis_url=address))
    assert "(hidden)" in refused.value.message
    assert address not in refused.value.message
    assert "'se'" not in refused.value.message
