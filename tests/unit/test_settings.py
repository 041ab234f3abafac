import pickle
from dataclasses import fields
from pathlib import Path

import pytest

from blender.protocol import DEVICES
from farm import settings as module
from farm.errors import InvalidSettings
from farm.settings import Settings


def test_defaults_need_nothing(tmp_path: Path) -> None:
    settings = Settings.load({"FARM_HOME": str(tmp_path)})
    assert settings.effective_storage_url == (tmp_path / "objects").as_uri()
    assert (settings.templates_folder / "crew-tee").name == "crew-tee"


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    (tmp_path / "farm.toml").write_text("shards = 3\nlease_s = 7\n")
    settings = Settings.load({"FARM_HOME": str(tmp_path), "FARM_SHARDS": "5"})
    assert (settings.shards, settings.lease_s) == (5, 7.0)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("FARM_SHARDS", "two"),
        ("FARM_SHARDS", "0"),
        ("FARM_LEASE_S", "nan"),
        ("FARM_LEASE_S", "inf"),
        ("FARM_LEASE_S", "-1"),
        ("FARM_RENDER_DEVICE", "quantum"),
        ("FARM_NULL_EFFECTS", "maybe"),
        ("FARM_VIEW_ATTEMPTS", "1.5"),
    ],
)
def test_a_wrong_value_names_its_variable(variable: str, value: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidSettings) as refused:
        Settings.load({"FARM_HOME": str(tmp_path), variable: value})
    assert variable in refused.value.message
    assert value in refused.value.message


def test_a_misspelt_name_in_the_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "farm.toml").write_text("shard = 3\n")
    with pytest.raises(InvalidSettings, match="shard"):
        Settings.load({"FARM_HOME": str(tmp_path)})


def test_secrets_are_not_shown(tmp_path: Path) -> None:
    settings = Settings.load({"FARM_HOME": str(tmp_path), "FARM_REDIS_URL": "redis://:hunter2@redis:6379/0"})
    assert "hunter2" not in str(settings.to_dict())


def test_every_render_device_is_one_that_blender_is_told() -> None:
    device = next(setting for setting in fields(Settings) if setting.name == "render_device")
    assert device.metadata["choices"] == DEVICES


@pytest.mark.parametrize("url", ["redis://:se/cret@host:1/0", "nonsense", "http://host", "redis://host:port"])
def test_an_address_that_is_none_is_refused_without_telling_it(url: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidSettings) as refused:
        Settings.load({"FARM_HOME": str(tmp_path), "FARM_REDIS_URL": url})
    assert url not in str(refused.value.to_dict())


@pytest.mark.parametrize("url", ["redis://:pw@host:6379/0", "rediss://host", "unix:///run/redis.sock?db=1"])
def test_addresses_are_accepted(url: str, tmp_path: Path) -> None:
    assert Settings.load({"FARM_HOME": str(tmp_path), "FARM_REDIS_URL": url}).redis_url == url


def test_settings_reach_a_process_of_another_version_by_their_names(monkeypatch: pytest.MonkeyPatch) -> None:
    sent = pickle.dumps(Settings(shards=7, redis_url="redis://here", failpoints="x=raise"))
    assert pickle.loads(sent) == Settings(shards=7, redis_url="redis://here", failpoints="x=raise")
    # One that knows fewer of them, in another order.
    monkeypatch.setattr(
        module, "fields", lambda kind: [one for one in fields(kind) if one.name in ("lease_s", "shards")]
    )
    assert pickle.loads(sent) == Settings(shards=7)
