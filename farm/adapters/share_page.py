"""Pages that show a file in place of the file: what people copy out of Dropbox, Google Drive and their like."""

import re
from collections.abc import Iterable, Iterator
from urllib.parse import parse_qsl, urlencode, urlsplit

from farm.adapters.open_internet import shown
from farm.domain.web_address import WebAddress
from farm.errors import SharePage

_DROPBOX = frozenset({"www.dropbox.com", "dropbox.com"})
_DROPBOX_FILE = ("/s/", "/scl/fi/")
_DRIVE = frozenset({"drive.google.com", "docs.google.com"})
_DRIVE_FILE = re.compile(r"/(?:file|document|spreadsheets|presentation)/(?:u/\d+/)?d/([\w-]+)")
_OTHERS = {
    "1drv.ms": "OneDrive",
    "onedrive.live.com": "OneDrive",
    "www.icloud.com": "iCloud",
    "photos.app.goo.gl": "Google Photos",
    "photos.google.com": "Google Photos",
    "we.tl": "WeTransfer",
    "wetransfer.com": "WeTransfer",
}
_PAGE = re.compile(rb"(?:\xef\xbb\xbf)?\s*(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html)\b", re.IGNORECASE | re.DOTALL)
_LOOKED_AT_BYTES = 1024


def direct(address: WebAddress) -> WebAddress:
    """The address of the file itself, where whoever serves it documents one; most are that already.

    Raises:
        SharePage: where there is none; it says how to come by one.
    """
    parts = urlsplit(address.url)
    if address.host in _DROPBOX:
        return _dropbox(address, parts.path, parts.query)
    if address.host in _DRIVE and not parts.path.startswith("/uc"):
        # Google documents no address for what is shared: this one works, and is theirs to take away.
        found = _DRIVE_FILE.match(parts.path)
        file = found[1] if found else dict(parse_qsl(parts.query)).get("id", "FILE_ID")
        how = f"share it with anyone who has the link, and give https://drive.google.com/uc?export=download&id={file}"
        raise SharePage(address=shown(address.url), reason=f"it is a page of Google Drive; {how}")
    if address.host in _OTHERS:
        how = "put the file where its own address can be read by everybody, in a bucket or on a web server"
        raise SharePage(address=shown(address.url), reason=f"it is a page of {_OTHERS[address.host]}; {how}")
    return address


def no_page(url: str, chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The chunks as they come.

    Raises:
        SharePage: when they begin as a web page does, which neither a design nor a manifest is.
    """
    first = True
    for chunk in chunks:
        if first and _PAGE.match(chunk[:_LOOKED_AT_BYTES]):
            reason = "what came is a web page, to log in at or to look at the file on; give the address of the file"
            raise SharePage(address=shown(url), reason=reason)
        first = False
        yield chunk


def _dropbox(address: WebAddress, path: str, query: str) -> WebAddress:
    """``dl=1`` is documented for shared files: https://help.dropbox.com/share/force-download."""
    if not path.startswith(_DROPBOX_FILE):
        reason = "it is a folder or a page of Dropbox; share the file itself, and give its link"
        raise SharePage(address=shown(address.url), reason=reason)
    given = parse_qsl(query, keep_blank_values=True)
    if any(name == "raw" for name, _ in given):
        return address
    wanted = [(name, value) for name, value in given if name != "dl"] + [("dl", "1")]
    return WebAddress.of(f"https://{address.host_and_port}{path}?{urlencode(wanted)}")
