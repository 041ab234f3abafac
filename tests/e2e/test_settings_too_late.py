"""A setting that comes too late for the farm that is up is told by every command, and shown as what it is."""

import json

import pytest

from farm.home.folder import Home, Need
from tests.e2e.terminal import Terminal

LATE = {"FARM_FETCH_HOSTS": "designs.internal"}
COMMANDS = (("jobs", "list"), ("keys", "list"), ("products", "list"))


@pytest.mark.timeout(120)
def test_every_command_tells_of_a_setting_that_the_farm_does_not_know(terminal: Terminal) -> None:
    home = Home(terminal.home)
    home.create()
    with home.present(Need.STORE):
        assert "has no effect" not in terminal.farm("jobs", "list").stderr, "the one that starts it has its way"
        for command in COMMANDS:
            told = terminal.farm(*command, environ=LATE)
            assert told.returncode == 0, told.stderr
            assert told.stderr.count("FARM_FETCH_HOSTS=designs.internal has no effect on the farm that is up") == 1
            assert "farm down" in told.stderr
            assert "has no effect" not in terminal.farm(*command).stderr
        shown = terminal.farm("config", environ=LATE)
        assert "the farm that is up: –" in shown.stdout
        assert "`farm down`" in shown.stderr
        row = json.loads(terminal.farm("config", "--json", environ=LATE).stdout)["fetch_hosts"]
        assert (row["value"], row["up"]) == ("designs.internal", "")
        assert "up" not in json.loads(terminal.farm("config", "--json").stdout)["fetch_hosts"]
        status = json.loads(terminal.farm("status", "--json", environ=LATE).stdout)
        assert status["otherwise"] == {"FARM_FETCH_HOSTS": {"here": "designs.internal", "farm": ""}}
