"""The errors as a package: one door, one tree, and pickles that know the door alone."""

import pickle
import re
from collections.abc import Iterator

import farm.errors
from farm.errors import FarmError, Fenced, RenderError, every_error


def tree(kind: type[FarmError], indent: int = 0) -> Iterator[str]:
    yield f"{'  ' * indent}{kind.__name__}"
    for child in sorted(kind.__subclasses__(), key=lambda child: child.__name__):
        if child.__module__ == "farm.errors":
            yield from tree(child, indent + 1)


def parents(lines: list[str]) -> set[tuple[str, ...]]:
    """Each name of a drawn tree with those it stands below."""
    path: list[str] = []
    found = set()
    for line in lines:
        depth = (len(line) - len(line.lstrip())) // 2
        path = [*path[:depth], line.split()[0]]
        found.add(tuple(path))
    return found


def test_the_tree_in_the_packages_docstring_is_the_tree_of_the_classes() -> None:
    drawn = re.findall(r"^    (\S.*|(?:  )+\S.*)$", farm.errors.__doc__ or "", re.MULTILINE)
    assert drawn[-1].startswith(Fenced.__name__)
    assert parents(drawn[:-1]) == parents(list(tree(FarmError)))


def test_every_error_is_where_pickles_and_other_versions_look_for_it() -> None:
    for kind in [*every_error(), Fenced]:
        if kind.__module__.startswith("farm.errors"):  # a few stand beside what alone raises them
            assert kind.__module__ == "farm.errors"
            assert getattr(farm.errors, kind.__name__) is kind


def test_a_pickle_from_before_the_package_is_read() -> None:
    """Written by a node of a version in which farm.errors was one file."""
    sent = (
        b"\x80\x04\x95W\x00\x00\x00\x00\x00\x00\x00\x8c\x0bfarm.errors\x94\x8c\x08_rebuild\x94\x93\x94h\x00"
        b"\x8c\x0bRenderError\x94\x93\x94}\x94(\x8c\x04view\x94\x8c\nfront_0deg\x94\x8c\x06reason\x94\x8c\x01r\x94"
        b"u\x86\x94R\x94."
    )
    back = pickle.loads(sent)
    assert (type(back), back.view) == (RenderError, "front_0deg")
    assert pickle.dumps(back, protocol=4) == sent
