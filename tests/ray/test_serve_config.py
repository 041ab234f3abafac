"""The file that `serve deploy` takes names what is there."""

import importlib
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]

from farm.actors.options import SERVE_GATE

FILE = Path(__file__).parents[2] / "deploy" / "serve.yaml"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Ray's own use of pydantic
def test_serve_deploy_takes_the_file_and_it_names_our_application(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from ray.serve.schema import ServeDeploySchema

    from serve_app import app

    monkeypatch.setenv("FARM_HOME", str(tmp_path))
    monkeypatch.setenv("FARM_REDIS_URL", "redis://store.example:6379")
    [application] = ServeDeploySchema.model_validate(yaml.safe_load(FILE.read_text("utf-8"))).applications
    module, _, name = application.import_path.partition(":")
    assert getattr(importlib.import_module(module), name) is app.build_app
    built = app.build_app(application.args)
    [deployment] = application.deployments
    assert deployment.name == built._bound_deployment.name == "api"
    assert application.name == app.NAME


def test_the_gate_that_nodes_are_told_of_is_there() -> None:
    from serve_app import proxy

    module, _, name = SERVE_GATE.rpartition(".")
    assert getattr(importlib.import_module(module), name) is proxy.middlewares
