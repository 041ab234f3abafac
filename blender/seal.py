"""The seal of a template: the hash of every file beside ``template.json`` and, over all of that, its own."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

SEALED_SUFFIXES = (".npz", ".png", ".blend", ".toml")
"""Files that determine the picture."""


def digest(data: bytes) -> str:
    """SHA-256, hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def facts_hash(facts: Mapping[str, Any]) -> str:
    """Return the hash that a ``template.json`` with these members must carry."""
    rest = {name: value for name, value in facts.items() if name != "hash"}
    return digest(json.dumps(rest, sort_keys=True, separators=(",", ":")).encode())


def seal(folder: Path, facts: dict[str, Any]) -> None:
    """Write ``template.json`` with the hash of every file beside it and its own."""
    names = sorted(path.name for path in folder.iterdir() if path.suffix in SEALED_SUFFIXES)
    facts["files"] = {name: digest((folder / name).read_bytes()) for name in names}
    facts["hash"] = facts_hash(facts)
    (folder / "template.json").write_text(json.dumps(facts, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def broken_seals(folder: Path, facts: Mapping[str, Any]) -> Iterator[str]:
    """Say, a sentence each, what is no longer as it was when the template was built."""
    if facts_hash(facts) != facts.get("hash"):
        yield "template.json was changed after the template was built"
    for name, sha256 in facts["files"].items():
        try:
            found = digest((folder / name).read_bytes())
        except OSError as exc:
            yield f"{name} cannot be read: {exc.strerror or exc}"
            continue
        if found != sha256:
            yield f"{name} is not the file the template was built with"
