import pytest

from farm.cli.placement import parse_placement
from farm.domain.request import parse_request
from farm.errors import InvalidRequest


def test_short_keys_become_the_fields_of_a_placement() -> None:
    text = "panel=back, x=-2.5,y=20,width=12,height=8,rotation=10,fit=cover,blend=multiply,opacity=0.5"
    text += ",underbase=no,design=1"
    assert parse_placement(text) == {
        "panel": "back",
        "x_cm": -2.5,
        "y_cm": 20.0,
        "width_cm": 12.0,
        "height_cm": 8.0,
        "rotation_deg": 10.0,
        "fit": "cover",
        "blend": "multiply",
        "opacity": 0.5,
        "underbase": False,
        "design": 1,
    }


def test_the_long_names_of_the_request_are_understood_too() -> None:
    short, long = parse_placement("y=20,width=12,x=1"), parse_placement("y_cm=20,width_cm=12,x_cm=1")
    assert short == long
    (layer,) = parse_request({"placements": [short]}).placements
    assert (layer.panel, layer.y_cm, layer.design) == ("front", 20.0, 0)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("y=20", "width must be given"),
        ("", "y and width must be given"),
        ("y=20,width", "'width' is not key=value"),
        ("y=20,width=", "is not key=value"),
        ("y=20,width=12,w=3", "there is no 'w'; the keys are panel, x, y"),
        ("y=20,width=wide", "width=wide is not a number"),
        ("y=20,width=12,underbase=maybe", "underbase=maybe is not yes or no"),
        ("y=20,width=12,design=1.5", "design=1.5 is not a whole number"),
        ("y=20,y_cm=20,width=12", "y_cm is given twice"),
    ],
)
def test_a_wrong_one_is_refused_with_the_reason_and_its_number(text: str, said: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        parse_placement(text, 3)
    assert said in refused.value.message
    assert refused.value.errors == [{"pointer": "/placements/3", "reason": refused.value.reason}]
