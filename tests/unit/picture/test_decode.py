"""Designs of every kind become the right sRGB pixels, or a clear refusal."""

import io

import numpy as np
import pytest
from PIL import Image

from farm.errors import BadDesign
from farm.picture import png as module
from farm.picture.decode import DecodeLimits, Design, decode, normalise
from tests.picture_designs import files, hostile
from tests.picture_designs.files import GREY, GREY_ALPHA, PALETTE, RGB, RGBA, chunk, encoded, png

LIMITS = DecodeLimits()


def pixels_of(data: bytes) -> np.ndarray:
    return decode(data, limits=LIMITS).pixels


def codes(design: Design) -> list[str]:
    return [notice.code for notice in design.warnings]


@pytest.mark.parametrize("name", hostile.REFUSED)
def test_hostile_files_are_refused_with_their_code(name: str) -> None:
    make, code = hostile.REFUSED[name]
    with pytest.raises(BadDesign) as caught:
        decode(make(), limits=LIMITS)
    assert caught.value.code == code
    assert "?" not in caught.value.message


@pytest.mark.parametrize("name", hostile.ACCEPTED)
def test_odd_files_decode_and_lose_what_is_not_picture(name: str) -> None:
    data = hostile.ACCEPTED[name]()
    design = decode(data, limits=LIMITS)
    plain = normalise(design)
    assert np.array_equal(pixels_of(plain), design.pixels)
    for unwanted in (b"PK\x03\x04", b"script", b"iCCP", b"zTXt", b"tEXt"):
        assert unwanted not in plain


@pytest.mark.parametrize("name", [*hostile.ACCEPTED, *hostile.REFUSED])
def test_the_fast_way_answers_as_the_slow_one(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    made = hostile.ACCEPTED[name]() if name in hostile.ACCEPTED else hostile.REFUSED[name][0]()
    fast = answer_of(made)
    monkeypatch.setattr(module, "_at_once", lambda png: None)
    assert answer_of(made) == fast


def test_most_files_take_the_fast_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_check_rows", None)
    for colour, channels in ((GREY, 1), (RGB, 3), (RGBA, 4)):
        pixels_of(png(np.zeros((2, 2, channels), np.uint8), colour=colour))


def answer_of(data: bytes) -> tuple[object, ...]:
    """Pixels and what is said of them, or the refusal."""
    try:
        design = decode(data, limits=LIMITS)
    except BadDesign as error:
        return error.code, error.message
    return design.pixels.tobytes(), design.facts, design.warnings


def test_the_file_limit_is_checked_before_the_content() -> None:
    with pytest.raises(BadDesign) as caught:
        decode(b"x" * 101, limits=DecodeLimits(max_bytes=100))
    assert caught.value.code == "design_too_large"


def test_grey_of_every_depth_spans_black_to_white() -> None:
    for depth in (1, 2, 4, 8, 16):
        top = 2**depth - 1
        pixels = pixels_of(png([[0, top]], colour=GREY, depth=depth))
        assert pixels.tolist() == [[[0, 0, 0, 255], [255, 255, 255, 255]]], depth


def test_sixteen_bit_samples_are_rounded_in_every_format() -> None:
    values = np.array([[0, 127, 129, 257, 32_767, 33_000, 65_406, 65_407, 65_535]])
    wanted = np.rint(values / 257).astype(np.uint8)
    assert np.array_equal(pixels_of(png(values, colour=GREY, depth=16))[..., 0], wanted)
    rgb = np.stack([values, values[:, ::-1], values], axis=-1)
    decoded = pixels_of(png(rgb, colour=RGB, depth=16))
    assert np.array_equal(decoded[..., 0], wanted)
    assert np.array_equal(decoded[..., 1], wanted[:, ::-1])
    alpha = np.full_like(values, 40_000)
    two = pixels_of(png(np.stack([values, alpha], axis=-1), colour=GREY_ALPHA, depth=16))
    four = pixels_of(png(np.concatenate([rgb, alpha[..., None]], axis=-1), colour=RGBA, depth=16))
    assert np.array_equal(two[..., 2], wanted)
    assert np.array_equal(four[..., 2], wanted)
    assert (two[..., 3] == round(40_000 / 257)).all()
    assert (four[..., 3] == round(40_000 / 257)).all()


def test_one_transparent_colour_is_compared_at_full_depth() -> None:
    key = chunk(b"tRNS", (1000).to_bytes(2) * 3)
    near = [[[1000, 1000, 1000], [1001, 1000, 1000]]]
    assert pixels_of(png(near, colour=RGB, depth=16, extra=key))[..., 3].tolist() == [[0, 255]]
    low = png([[0, 1, 2, 3]], colour=GREY, depth=2, extra=chunk(b"tRNS", (2).to_bytes(2)))
    assert pixels_of(low)[..., 3].tolist() == [[255, 255, 0, 255]]


def test_palette_with_transparency_at_every_depth() -> None:
    colours = chunk(b"PLTE", bytes([255, 0, 0, 0, 255, 0])) + chunk(b"tRNS", bytes([128]))
    for depth in (1, 2, 4, 8):
        pixels = pixels_of(png([[0, 1, 0]], colour=PALETTE, depth=depth, extra=colours))
        assert pixels.tolist() == [[[255, 0, 0, 128], [0, 255, 0, 255], [255, 0, 0, 128]]]


def test_a_palette_index_beyond_the_palette_is_black_not_a_crash() -> None:
    pixels = pixels_of(png([[200]], colour=PALETTE, extra=chunk(b"PLTE", bytes([9, 9, 9]))))
    assert pixels[0, 0].tolist() == [0, 0, 0, 255]


def test_grey_with_alpha_and_hidden_colour() -> None:
    pixels = pixels_of(png([[[10, 255], [200, 0]]], colour=GREY_ALPHA))
    assert pixels.tolist() == [[[10, 10, 10, 255], [0, 0, 0, 0]]]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_all_eight_exif_orientations_come_out_upright(orientation: int, kind: str) -> None:
    upright = np.zeros((16, 32, 3), np.uint8)
    upright[:8, :8] = (255, 0, 0)
    upright[8:, 24:] = (0, 0, 255)
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright, 1),
        7: upright[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }[orientation]
    options = {"quality": 100, "subsampling": 0} if kind == "JPEG" else {}
    data = encoded(np.ascontiguousarray(stored), kind, exif=files.exif(orientation), **options)
    design = decode(data, limits=LIMITS)
    assert design.facts.exif_orientation == orientation
    assert (design.facts.width_px, design.facts.height_px) == (32, 16)
    assert np.abs(design.pixels[..., :3].astype(int) - upright).max() <= 4


@pytest.mark.parametrize("exif", [b"Exif\0\0garbage", b"Exif\0\0II*\0\xff\xff\xff\xff", files.exif(99)])
def test_broken_exif_is_ignored(exif: bytes) -> None:
    design = decode(encoded(np.zeros((8, 8, 3), np.uint8), "JPEG", exif=exif), limits=LIMITS)
    assert design.facts.exif_orientation == 1


def test_a_profile_moves_colours_into_srgb() -> None:
    red = np.full((8, 8, 3), (255, 0, 0), np.uint8)
    for data in (
        encoded(red, icc_profile=files.swapped_profile()),
        encoded(red, "JPEG", icc_profile=files.swapped_profile()),
    ):
        design = decode(data, limits=LIMITS)
        assert design.facts.had_icc
        assert design.warnings == ()
        assert np.abs(design.pixels[0, 0].astype(int) - (0, 255, 0, 255)).max() <= 3


def test_an_srgb_profile_leaves_every_number_alone() -> None:
    colours = np.random.default_rng(3).integers(0, 256, (16, 16, 4), dtype=np.uint8)
    colours[..., 3] |= 1
    assert np.array_equal(pixels_of(encoded(colours, icc_profile=files.srgb_profile())), colours)


@pytest.mark.parametrize("profile", [b"not a profile", files.srgb_profile()[:200], b"\0" * 4000])
def test_a_broken_profile_is_ignored_with_a_warning(profile: bytes) -> None:
    colours = np.full((4, 4, 3), (200, 30, 40), np.uint8)
    design = decode(png(colours, colour=RGB, extra=files.iccp(profile)), limits=LIMITS)
    assert codes(design) == ["design_profile_ignored"]
    assert design.pixels[0, 0].tolist() == [200, 30, 40, 255]


def test_a_profile_for_other_pixels_is_ignored_with_a_warning() -> None:
    design = decode(png([[7]], colour=GREY, extra=files.iccp(files.srgb_profile())), limits=LIMITS)
    assert codes(design) == ["design_profile_ignored"]
    assert design.pixels[0, 0].tolist() == [7, 7, 7, 255]


def test_cmyk_is_read_with_and_without_adobes_inversion() -> None:
    ink = Image.new("CMYK", (16, 16), (0, 255, 255, 0))
    adobe = encoded(ink, "JPEG", quality=100)
    inverted = encoded(Image.new("CMYK", (16, 16), (255, 0, 0, 255)), "JPEG", quality=100)
    for data in (adobe, files.without_adobe_marker(inverted)):
        design = decode(data, limits=LIMITS)
        assert design.facts.mode == "CMYK"
        assert codes(design) == ["design_cmyk_without_profile"]
        assert np.abs(design.pixels[0, 0].astype(int) - (255, 0, 0, 255)).max() <= 3


def test_gamma_is_applied_at_full_depth_and_only_when_it_is_not_srgb() -> None:
    half = [[32_768]]
    linear = pixels_of(png(half, colour=GREY, depth=16, extra=chunk(b"gAMA", (100_000).to_bytes(4))))
    usual = pixels_of(png(half, colour=GREY, depth=16, extra=chunk(b"gAMA", (45_455).to_bytes(4))))
    marked = chunk(b"gAMA", (100_000).to_bytes(4)) + chunk(b"sRGB", b"\0")
    assert linear[0, 0, 0] == 188
    assert usual[0, 0, 0] == 128
    assert pixels_of(png(half, colour=GREY, depth=16, extra=marked))[0, 0, 0] == 128


def test_an_animated_png_prints_its_still_picture() -> None:
    frames = [Image.new("RGBA", (8, 8), colour) for colour in ("#ff0000", "#00ff00")]
    design = decode(encoded(frames[0], save_all=True, append_images=frames[1:]), limits=LIMITS)
    assert codes(design) == ["design_animated"]
    assert design.pixels[0, 0].tolist() == [255, 0, 0, 255]


def test_interlaced_rows_are_put_in_order() -> None:
    assert pixels_of(hostile.ACCEPTED["interlaced"]())[0].tolist() == [[10, 11, 12, 255], [13, 14, 15, 255]]


def test_normalised_bytes_depend_on_pixels_alone() -> None:
    colours = np.random.default_rng(5).integers(0, 256, (20, 30, 4), dtype=np.uint8)
    one = decode(encoded(colours, compress_level=9), limits=LIMITS)
    two = decode(
        encoded(colours, compress_level=0, exif=files.exif(1), icc_profile=files.srgb_profile()), limits=LIMITS
    )
    assert normalise(one) == normalise(two)
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(normalise(one)))), one.pixels)


def test_facts_tell_what_the_file_was() -> None:
    facts = decode(png(np.zeros((3, 5, 3)), colour=RGB, depth=16), limits=LIMITS).facts
    assert (facts.format, facts.mode, facts.width_px, facts.height_px, facts.bit_depth) == ("png", "RGB", 5, 3, 16)
    assert not facts.had_icc


def test_every_cut_of_a_small_file_is_refused_or_whole() -> None:
    whole = png(np.arange(48).reshape(4, 4, 3), colour=RGB)
    for end in range(len(whole)):
        with pytest.raises(BadDesign):
            decode(whole[:end], limits=LIMITS)


@pytest.mark.parametrize("seed", range(6))
def test_flipped_bytes_never_raise_anything_but_bad_design(seed: int) -> None:
    random = np.random.default_rng(seed)
    photo = random.integers(0, 256, (24, 24, 3), dtype=np.uint8)
    sources = [
        encoded(photo),
        encoded(photo, "JPEG", exif=files.exif(6), icc_profile=files.srgb_profile()),
        encoded(photo, "JPEG", progressive=True),
    ]
    for source in sources:
        for _ in range(60):
            broken = bytearray(source)
            for at in random.integers(0, len(broken), 3):
                broken[at] = random.integers(0, 256)
            try:
                design = decode(bytes(broken), limits=DecodeLimits(max_pixels=1_000_000))
            except BadDesign:
                continue
            assert design.pixels.dtype == np.uint8
            assert design.pixels.shape == (design.facts.height_px, design.facts.width_px, 4)


def test_a_grey_profile_is_converted() -> None:
    """Linear grey: half the light is 188 in sRGB."""
    curve = b"curv" + bytes(8)
    profile = files.profile(b"mntr", b"GRAY", b"XYZ ", {b"wtpt": files.D50, b"kTRC": curve})
    design = decode(png([[128]], colour=GREY, extra=files.iccp(profile)), limits=LIMITS)
    assert codes(design) == []
    assert abs(int(design.pixels[0, 0, 0]) - 188) <= 2


def test_a_cmyk_profile_is_honoured() -> None:
    """A press that prints with black ink alone: magenta and yellow leave the paper white."""
    profile = files.black_ink_profile()
    for ink, grey in (((0, 255, 255, 0), 255), ((0, 0, 0, 255), 0)):
        jpeg = encoded(Image.new("CMYK", (8, 8), ink), "JPEG", quality=100, icc_profile=profile)
        design = decode(jpeg, limits=LIMITS)
        assert codes(design) == []
        assert np.abs(design.pixels[0, 0].astype(int) - (grey, grey, grey, 255)).max() <= 3


def test_a_profile_of_another_colour_space_is_ignored() -> None:
    ink = Image.new("CMYK", (8, 8), (0, 0, 0, 0))
    design = decode(encoded(ink, "JPEG", icc_profile=files.srgb_profile()), limits=LIMITS)
    assert codes(design) == ["design_profile_ignored", "design_cmyk_without_profile"]
    assert design.pixels[0, 0].tolist() == [255, 255, 255, 255]
