"""`cluster.yaml`, as Ray itself reads it. No cluster is started."""
# mypy: disallow-untyped-calls=False

import re
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # Ray brings it, without types

REPOSITORY = Path(__file__).parents[2]
TEXT = (REPOSITORY / "cluster.yaml").read_text("utf-8")


@pytest.fixture(scope="module")
def config() -> dict[str, Any]:
    """With Ray's defaults filled in, valid by Ray's own judgement."""
    from ray.autoscaler._private.util import prepare_config, validate_config

    prepared: dict[str, Any] = prepare_config(yaml.safe_load(TEXT))
    validate_config(prepared)
    return prepared


def test_the_head_is_bought_and_the_gpus_come_and_go(config: dict[str, Any]) -> None:
    types = config["available_node_types"]
    assert config["head_node_type"] == "head"
    assert "InstanceMarketOptions" not in types["head"]["node_config"]
    gpu = types["gpu"]
    assert (gpu["min_workers"], gpu["max_workers"]) == (0, config["max_workers"])
    assert gpu["resources"]["GPU"] == 1
    assert gpu["node_config"]["InstanceMarketOptions"]["MarketType"] == "spot"
    for kind in types.values():
        assert kind["node_config"]["MetadataOptions"]["HttpTokens"] == "required"


def test_a_view_fits_a_gpu_node_and_none_fits_the_head(config: dict[str, Any]) -> None:
    from farm.actors.options import shape_of
    from farm.settings import Settings

    settings = Settings.load({"FARM_RENDER_GPUS": "1", "FARM_HOME": "/nowhere"})

    def node(kind: str) -> dict[str, Any]:
        resources = {**config["available_node_types"][kind]["resources"], "memory": 16e9}
        return {"Alive": True, "Resources": resources}

    assert shape_of(settings, [node("head")]).slots == 0, "none is up, and still GPUs are asked for"
    assert shape_of(settings, [node("head")]).gpus == 1
    assert shape_of(settings, [node("head"), node("gpu"), node("gpu")]).slots == 2


def test_ray_s_own_defaults_are_not_mixed_in(config: dict[str, Any]) -> None:
    """Its default commands install another Ray and open the dashboard to everybody."""
    commands = [
        *config["setup_commands"], *config["head_setup_commands"], *config["worker_setup_commands"],
        *config["head_start_ray_commands"], *config["worker_start_ray_commands"],
    ]  # fmt: skip
    assert commands
    for command in commands:
        assert re.fullmatch(
            r"cd ~/tshirt-farm && (RAY_HEAD_IP=\$RAY_HEAD_IP )?deploy/node.sh (set-up|head|worker)", command
        )
    assert config["docker"] == {}


def test_what_is_sent_exists_and_holds_no_secret(config: dict[str, Any]) -> None:
    assert config["file_mounts"]["~/tshirt-farm"] == "."
    assert "/.git/" in config["rsync_exclude"]
    assert (REPOSITORY / "deploy" / "node.sh").stat().st_mode & 0o111
    assert "farm.env" in (REPOSITORY / ".gitignore").read_text().replace("/", "").splitlines()
    forbidden = re.compile(r"arn:aws|\b\d{12}\b|\bAKIA|\bami-[0-9a-f]|\bsubnet-|\bsg-[0-9a-f]|\bvpc-|secret:|KeyName")
    assert forbidden.findall(TEXT) == []
