"""The contact sheet shows every picture once, in order, whatever is written above them."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from farm.picture.contact_sheet import contact_sheet
from tests.picture_designs import prints

COLOURS = {
    "front_0deg": (200, 16, 46),
    "left_90deg": (16, 160, 46),
    "right_270deg": (16, 46, 200),
    "back_180deg": (238, 173, 26),
    "front_45deg_left": (90, 40, 140),
    "front_45deg_right": (20, 150, 150),
}


def opened(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)))


def test_six_pictures_stand_in_two_rows_of_three() -> None:
    sheet = opened(contact_sheet([(view, prints.flat(colour, 64, 64)) for view, colour in COLOURS.items()]))
    height, width, channels = sheet.shape
    assert channels == 3
    for number, colour in enumerate(COLOURS.values()):
        row, column = divmod(number, 3)
        y, x = int(height * (0.25 + 0.48 * row)), int(width * (1 + 2 * column) / 6)
        assert np.abs(sheet[y, x].astype(int) - colour).max() <= 1, (number, y, x)


def test_transparent_pixels_show_the_card_and_no_fringe() -> None:
    sheet = opened(contact_sheet([("front_0deg", prints.disc((255, 255, 255), 600))]))
    card = sheet[100:600, 100:600]
    assert card.min() > 205


def test_a_picture_may_be_a_file_and_of_any_shape(tmp_path: Path) -> None:
    path = tmp_path / "view.jpg"
    Image.fromarray(prints.flat((200, 16, 46), 300, 100)[..., :3]).save(path, quality=95)
    sheet = opened(contact_sheet([("somewhere", path)], title="Job", caption="x"))
    middle = sheet[132 + 120, sheet.shape[1] // 2]
    assert np.abs(middle.astype(int) - (200, 16, 46)).max() < 8


@pytest.mark.parametrize(("width", "height", "cell"), [(160, 200, 750), (160, 90, 338), (100, 400, 960)])
def test_cards_have_the_shape_of_their_pictures(width: int, height: int, cell: int) -> None:
    sheet = opened(contact_sheet([("front_0deg", prints.flat((200, 16, 46), width, height))]))
    red = np.abs(sheet.astype(int) - (200, 16, 46)).max(axis=2) <= 2
    assert np.count_nonzero(red.any(axis=1)) == pytest.approx(cell, abs=2)
    assert sheet.shape[1] == 600 + 2 * 72


def test_a_long_caption_stands_below_the_title() -> None:
    picture = [("front_0deg", prints.flat((1, 2, 3), 32, 32))]
    both = opened(contact_sheet(picture, title="tee-1", caption="#ffffff, 240 x 135 px, 2 samples, and a job"))
    alone = opened(contact_sheet(picture, title="tee-1"))
    assert both.shape[0] == alone.shape[0] + 36
    title = slice(40, 96)
    assert np.array_equal(both[title, 72:600], alone[title, 72:600]), "the caption leaves the title alone"


def test_titles_too_long_or_strange_are_cut_and_harmless() -> None:
    picture = [("front_0deg", prints.flat((1, 2, 3), 32, 32))]
    for title in ("x" * 5000, "tab\tnul\0 newline\n", "\N{SNOWMAN}\u202e רשת"):
        assert opened(contact_sheet(picture, title=title, caption=title)).shape[1] == 600 + 2 * 72


def test_equal_pictures_make_equal_sheets() -> None:
    pictures = [("front_0deg", prints.photo(60, 80))]
    assert contact_sheet(pictures, title="a") == contact_sheet(pictures, title="a")


def test_nothing_makes_no_sheet() -> None:
    with pytest.raises(ValueError, match="at least one"):
        contact_sheet([])
