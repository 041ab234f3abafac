"""Rows of one look stay together: in slices, in pieces, and never out of the manifest's order."""

import pytest

from farm.render.catalog.look import by_look, pieces_of
from farm.render.catalog.row import Fault, Row
from farm.render.catalog.slices import slices_of


def rows(*designs: str) -> list[Row | Fault]:
    return [Row(number=number, design=design) for number, design in enumerate(designs, 1)]


@pytest.mark.parametrize(
    ("designs", "size", "lengths"),
    [
        ("aabbcc", 4, [4, 2]),
        ("aaabbbccc", 4, [3, 3, 3]),
        ("aaaaaaaaaa", 4, [4, 4, 2]),  # longer than a slice: cut where it must be
        ("abcde", 2, [2, 2, 1]),
        ("abbbb", 4, [4, 1]),  # a slice is not cut to less than a half for it
        ("aaa", 3, [3]),
        ("aab", 1, [1, 1, 1]),
        ("", 4, []),
    ],
)
def test_a_slice_ends_before_a_design_that_would_be_cut(designs: str, size: int, lengths: list[int]) -> None:
    items = rows(*designs)
    slices = list(slices_of(iter(items), size))
    assert [len(one) for one in slices] == lengths
    assert [item for one in slices for item in one] == items


def test_faults_belong_to_no_design() -> None:
    fault = Fault(number=1, code="x", message="", hint="")
    assert [len(one) for one in slices_of(iter([fault] * 5), 2)] == [2, 2, 1]


def test_pieces_are_cut_between_looks_where_these_are_short_and_evenly_where_they_are_long() -> None:
    groups = by_look(list(range(9)), list("abababacc"))
    assert groups == [[0, 2, 4, 6], [1, 3, 5], [7, 8]]
    assert pieces_of(groups, 5) == [[0, 2, 4, 6], [1, 3, 5, 7, 8]]
    assert pieces_of([list(range(17))], 9) == [list(range(8)), list(range(8, 17))]
    assert pieces_of([[1], [2], [3], [4]], 2) == [[1, 2], [3, 4]]
