"""The protocol travels as JSON without loss, and refuses what cannot be carried out."""

import json
import subprocess
import sys
from typing import Any

import pytest

from blender.protocol import PanelPrint, ProtocolError, ViewOrder, ViewReport

PRINT = PanelPrint(panel="front", path="/tmp/ü.png", x_cm=-15, y_cm=6.0, width_cm=30.0, height_cm=40.0)
ORDER = ViewOrder(
    template="templates/crew-tee", view="back_180deg", out="out.png", prints=(PRINT,), fabric_color="#1A2b3c",
    background="#eeeeee", width_px=320, height_px=200, samples=4, seed=9, threads=2, device="cpu", format="webp",
    azimuth_deg=12.5,
)  # fmt: skip
REPORT = ViewReport(
    view="front_0deg", out="out.png", width_px=1024, height_px=1024, device="cpu", samples=16, threads=2, open_s=0.5,
    sync_s=0.1, render_s=4.0, total_s=4.7, peak_rss_bytes=900_000_000, renderer="cycles 5.2.3",
)  # fmt: skip


@pytest.mark.parametrize("message", [PRINT, ORDER, REPORT], ids=lambda message: type(message).__name__)
def test_round_trip(message: PanelPrint | ViewOrder | ViewReport) -> None:
    assert type(message).from_json(message.to_json()) == message
    assert type(message).from_json(message.to_json().encode()) == message


def test_defaults_need_not_be_written() -> None:
    order = ViewOrder.from_json('{"template": "t", "view": "front_0deg", "out": "a.png"}')
    assert order == ViewOrder(template="t", view="front_0deg", out="a.png")
    assert (order.samples, order.background, order.prints) == (16, None, ())


def test_whole_numbers_pass_as_centimetres() -> None:
    order = ViewOrder.from_json('{"template": "t", "view": "front_0deg", "out": "a.png", "azimuth_deg": 90}')
    assert isinstance(order.azimuth_deg, float)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"view": "top"}, "unknown view 'top'"),
        ({"format": "bmp"}, "unknown format"),
        ({"device": "abacus"}, "unknown device"),
        ({"fabric_color": "white"}, "not #rrggbb"),
        ({"background": "#12345"}, "not #rrggbb"),
        ({"samples": 0}, "samples 0 is outside"),
        ({"samples": 5000}, "outside 1..4096"),
        ({"width_px": 100_000}, "width_px"),
        ({"width_px": 12.5}, "wrong type"),
        ({"width_px": True}, "wrong type"),
        ({"seed": -1}, "seed"),
        ({"prints": [{"panel": "pocket"}]}, "missing field"),
        ({"prints": [json.loads(PRINT.to_json()) | {"panel": "pocket"}]}, "unknown panel 'pocket'"),
        ({"prints": [json.loads(PRINT.to_json()) | {"width_cm": 0}]}, "must be positive"),
        ({"prints": [json.loads(PRINT.to_json())] * 2}, "more than one print"),
        ({"prints": "front.png"}, "list of objects"),
        ({"colour": "#ffffff"}, "unknown field 'colour'"),
    ],
)
def test_bad_orders_are_refused_in_one_line(change: dict[str, Any], message: str) -> None:
    fields = json.loads(ORDER.to_json()) | change
    with pytest.raises(ProtocolError, match=message) as caught:
        ViewOrder.from_json(json.dumps(fields))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"view": "front_0deg"}', "NaN"])
def test_what_is_no_order_is_refused(text: str) -> None:
    with pytest.raises(ProtocolError):
        ViewOrder.from_json(text)


def test_infinite_position_is_refused() -> None:
    with pytest.raises(ProtocolError, match="finite"):
        PanelPrint.from_json(PRINT.to_json().replace("-15", "Infinity"))


def test_importing_the_package_loads_neither_blender_nor_numpy() -> None:
    script = "import sys, blender.protocol; print(sorted({'bpy', 'numpy', 'ray'} & set(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
