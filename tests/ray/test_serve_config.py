"""The file that `serve deploy` takes names what is there."""

import importlib
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]

from farm.actors.options import SERVE_GATE
from farm.domain.picture_address import PREFIX

FILE = Path(__file__).parents[2] / "deploy" / "serve.yaml"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Ray's own use of pydantic
def test_serve_deploy_takes_the_file_and_it_names_our_application(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from ray.serve.schema import ServeDeploySchema

    from serve_app import app

    monkeypatch.setenv("FARM_HOME", str(tmp_path))
    monkeypatch.setenv("FARM_REDIS_URL", "redis://store.example:6379")
    applications = ServeDeploySchema.model_validate(yaml.safe_load(FILE.read_text("utf-8"))).applications
    assert [application.name for application in applications] == [app.NAME, app.PICTURES]
    assert [application.route_prefix for application in applications] == ["/", PREFIX]
    for application, builder in zip(applications, (app.build_app, app.build_pictures_app), strict=True):
        module, _, name = application.import_path.partition(":")
        assert getattr(importlib.import_module(module), name) is builder
        [deployment] = application.deployments
        bound = builder(application.args)._bound_deployment
        assert deployment.name == bound.name
        if application.name == app.PICTURES:
            told = deployment.request_router_config
            own = bound._deployment_config.request_router_config.request_router_class
            assert (told["request_router_class"] if isinstance(told, dict) else told.request_router_class) == own


def test_the_gate_that_nodes_are_told_of_is_there() -> None:
    from serve_app import proxy

    module, _, name = SERVE_GATE.rpartition(".")
    assert getattr(importlib.import_module(module), name) is proxy.middlewares
