"""Web addresses as browsers read them, by WHATWG's URL standard.

People write ``https://bücher.example/grün 1.png``; in a request stand plain ASCII letters, the host in IDNA, the rest
percent-encoded.
"""

import re
from dataclasses import dataclass
from typing import Self

import ada_url

_WITH_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:")
_WHOLE = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*://[^/?#]")
_DEFAULT_PORTS = {"https": 443, "http": 80}
_HOST_LETTERS, _LABEL_LETTERS = 253, 63
"""What DNS can carry."""


class NoAddress(ValueError):
    """Why a text is no web address that may be used, as the end of a sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WebAddress:
    """An address of ``https`` or ``http``.

    Attributes:
        url: in ASCII, without a fragment; made once, so that all who use it see the same host in it.
        host: a name in IDNA, or a number, IPv6 without brackets; in small letters.
    """

    url: str
    scheme: str
    host: str
    port: int

    @classmethod
    def of(cls, text: str) -> Self:
        """The address that somebody wrote.

        Raises:
            NoAddress: it is none, names a user, or could be read as another by others than browsers.
        """
        _check(text)
        if not _WHOLE.match(text):
            raise NoAddress("it must be https://host/path")
        return cls._of(text, None)

    def to(self, location: bytes) -> Self:
        """Where a redirect from here leads.

        Args:
            location: as the server sent it; UTF-8 where it is that, as browsers take it.

        Raises:
            NoAddress: as `of`.
        """
        try:
            text = location.decode()
        except UnicodeDecodeError:
            text = location.decode("latin-1")
        _check(text)
        if _WITH_SCHEME.match(text) and not _WHOLE.match(text):
            raise NoAddress("it must be https://host/path")
        return self._of(text, self.url)

    @property
    def host_and_port(self) -> str:
        """As in a request's ``Host``."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @classmethod
    def _of(cls, text: str, base: str | None) -> Self:
        try:
            parsed = ada_url.URL(text, base=base)
        except ValueError as error:  # lone surrogates among it
            raise NoAddress("it is no address") from error
        scheme = parsed.protocol.removesuffix(":")
        if scheme not in _DEFAULT_PORTS:
            raise NoAddress("it is not https")
        authority = re.split(r"[/?#]", text.partition("//")[2], maxsplit=1)[0]
        if parsed.username or parsed.password or (base is None and "@" in authority):
            raise NoAddress("it must be https://host/path, without a user")
        host = parsed.hostname.removeprefix("[").removesuffix("]")
        if ":" not in host and not _is_name(host):
            raise NoAddress("no host can have that name")
        port = int(parsed.port) if parsed.port else _DEFAULT_PORTS[scheme]
        if port == 0:
            raise NoAddress("there is no port 0")
        parsed.hash = ""
        return cls(url=parsed.href, scheme=scheme, host=host, port=port)


def host_name(text: str) -> str:
    """A host as `WebAddress` has it, from however an operator wrote it; unchanged where it is none."""
    try:
        return WebAddress.of(f"https://[{text}]/" if ":" in text else f"https://{text}/").host
    except NoAddress:
        return text.lower()


def _check(text: str) -> None:
    # Browsers drop control characters and read a backslash as a slash, and other readers do not.
    if any(character < " " or character in "\\\x7f" for character in text):
        raise NoAddress("it holds a backslash or a control character")


def _is_name(host: str) -> bool:
    labels = host.removesuffix(".").split(".")
    return len(host) <= _HOST_LETTERS and all(0 < len(label) <= _LABEL_LETTERS for label in labels)
