"""Keys are named in one room, and as they always were."""

import ast
from pathlib import Path

from farm.adapters.store_keys import KEYS, Keys

ROOT = Path(__file__).parents[2]


def test_no_module_spells_a_key() -> None:
    spelled = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for package in ("farm", "serve_app")
        for path in sorted((ROOT / package).rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        # A docstring may begin with a key's name; it has lines or blanks.
        if node.value.startswith("farm:") and len(node.value.split()) == 1
    ]
    assert spelled == []


def test_stored_names_stay() -> None:
    assert KEYS.of("beat", "fence", "j", "front") == "farm:beat:fence:j:front"
    assert (KEYS.namespace, KEYS.runs, KEYS.batches) == ("farm", "farm:run", "farm:batch")
    assert KEYS.epochs == ("farm:epoch", "farm:run:epoch", "farm:batch:epoch", "farm:beat:epochs")
    assert Keys("other").of("nodes") == "other:nodes"
