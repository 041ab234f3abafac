"""``farm pictures``: addresses signed offline, and keys that are rotated."""

import json
from urllib.parse import parse_qs, urlsplit

from farm.domain.picture_address import PictureKey
from farm.domain.signing import SigningSecret
from tests.e2e.terminal import Terminal

DESIGN = "dsn_" + "0" * 26


def test_an_address_is_signed_without_a_farm(terminal: Terminal) -> None:
    key = PictureKey.of(SigningSecret.new(), "shop", "0123456789ab")
    wanted = ("--view", "back_180deg", "--fabric-color", "navy", "--size", "800x1000", "--format", "auto")
    layer = ("--placement", "panel=back,x=0,y=20,width=12", "--base", "https://farm.example/")
    done = terminal.farm("pictures", "url", DESIGN, *wanted, *layer, environ={"FARM_PICTURES_KEY": key.token})
    assert done.returncode == 0, done.stderr
    url = urlsplit(done.stdout.strip())
    assert (url.netloc, url.path) == ("farm.example", f"/v1/pictures/shop/{DESIGN}/back_180deg")
    found = {name: value for name, [value] in parse_qs(url.query).items()}
    assert (found["size"], found["aspect"], found["fabric_color"], found["key"]) == ("1000", "800:1000", "navy", key.id)
    assert json.loads(found["placements"]) == [{"panel": "back", "x_cm": 0, "y_cm": 20, "width_cm": 12}]
    options = {name: value for name, value in found.items() if name not in ("key", "signature")}
    assert done.stdout.strip() == "https://farm.example" + key.sign([DESIGN], "back_180deg", options)
    assert not terminal.home.exists(), "nobody was asked"
    wrong = terminal.farm("pictures", "url", "logo.png", environ={"FARM_PICTURES_KEY": key.token})
    assert (wrong.returncode, "dsn_" in wrong.stderr) == (2, True)


def test_a_key_is_made_shown_and_rotated(terminal: Terminal) -> None:
    first = terminal.farm("pictures", "key", "show", "--tenant", "shop").stdout.strip()
    assert PictureKey.parse(first).tenant == "shop"
    again = json.loads(terminal.farm("pictures", "key", "show", "--tenant", "shop", "--json").stdout)
    assert again == {"key": first, "old": []}
    rotated = terminal.farm("pictures", "key", "rotate", "--tenant", "shop", "--old-days", "2", "--json")
    told = json.loads(rotated.stdout)
    assert told["key"] != first
    assert [key["id"] for key in told["old"]] == [PictureKey.parse(first).id]
    url = terminal.farm("pictures", "url", DESIGN, "--tenant", "shop").stdout
    assert f"key={PictureKey.parse(told['key']).id}" in url
    wrong = terminal.farm("pictures", "key", "show", "--tenant", "No Tenant")
    assert (wrong.returncode, "tenant" in wrong.stderr) == (2, True)
