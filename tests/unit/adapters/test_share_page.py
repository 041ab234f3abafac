"""Pages that show a file: made into the file's own address where that is documented, else refused with what helps."""

import pytest

from farm.adapters.share_page import direct, no_page
from farm.domain.web_address import WebAddress
from farm.errors import SharePage

DROPBOX = "https://www.dropbox.com"
MADE_DIRECT = {
    f"{DROPBOX}/s/a1b2/logo.png": f"{DROPBOX}/s/a1b2/logo.png?dl=1",
    f"{DROPBOX}/s/a1b2/logo.png?dl=0": f"{DROPBOX}/s/a1b2/logo.png?dl=1",
    f"{DROPBOX}/scl/fi/tok/grün.png?rlkey=k%2B&dl=0&st=": f"{DROPBOX}/scl/fi/tok/gr%C3%BCn.png?rlkey=k%2B&st=&dl=1",
}
DIRECT = [
    f"{DROPBOX}/s/a1b2/logo.png?raw=1",
    "https://dl.dropboxusercontent.com/s/a1b2/logo.png",
    "https://drive.google.com/uc?export=download&id=1AbC",
    "https://www.dropbox.com.example/s/a1b2/logo.png",
    "https://shop.example/file/d/1/view?dl=0",
]
PAGES = {
    "https://drive.google.com/file/d/1A-b_C/view?usp=sharing": "uc?export=download&id=1A-b_C",
    "https://drive.google.com/open?id=1A-b_C": "uc?export=download&id=1A-b_C",
    "https://docs.google.com/spreadsheets/d/1A-b_C/edit": "uc?export=download&id=1A-b_C",
    "https://drive.google.com/drive/folders/1A-b_C": "uc?export=download&id=FILE_ID",
    f"{DROPBOX}/sh/tok/folder?dl=0": "share the file itself",
    f"{DROPBOX}/home/designs": "share the file itself",
    "https://1drv.ms/i/s!abc": "OneDrive",
    "https://we.tl/t-abc": "WeTransfer",
}


@pytest.mark.parametrize(("given", "found"), MADE_DIRECT.items())
def test_a_link_of_dropbox_is_made_direct(given: str, found: str) -> None:
    assert direct(WebAddress.of(given)).url == found


@pytest.mark.parametrize("url", DIRECT)
def test_what_is_direct_is_left_alone(url: str) -> None:
    address = WebAddress.of(url)
    assert direct(address) == address


@pytest.mark.parametrize(("url", "helps"), PAGES.items())
def test_another_page_is_refused_with_how_to_come_by_the_file(url: str, helps: str) -> None:
    with pytest.raises(SharePage) as caught:
        direct(WebAddress.of(url))
    assert helps in caught.value.message


@pytest.mark.parametrize("body", [b"<!DOCTYPE html><p>", b"\xef\xbb\xbf\n <HTML lang=en>", b"<!-- x --><html>"])
def test_a_page_in_place_of_a_file_is_told(body: bytes) -> None:
    with pytest.raises(SharePage):
        list(no_page("https://shop.example/a.png", [body, b"more"]))


def test_a_file_goes_through() -> None:
    chunks = [b"\x89PNG", b"<!doctype html>", b""]
    assert list(no_page("https://shop.example/a.png", chunks)) == chunks
    assert list(no_page("https://shop.example/a.svg", [b"<svg>"])) == [b"<svg>"]
