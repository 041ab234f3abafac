import pytest

from farm.render.catalog.columns import Reading, local_path, rows_of, unknown_columns
from farm.render.catalog.row import Fault, Row, from_line, to_line

HERE = Reading(base="file:///shop/spring%20drop/")


def one(number: int = 1, **cells: object) -> Row | Fault:
    found = list(rows_of(number, {"design": "a.png", **cells}, HERE))
    assert len(found) == 1
    return found[0]


def test_a_line_of_text_becomes_a_row() -> None:
    row = one(7, product_id="tee-1", size="512", views="front_0deg|back_180deg", format="jpeg", preset="")
    assert row == Row(
        number=7,
        design="file:///shop/spring%20drop/a.png",
        request={"product_id": "tee-1", "size": 512, "views": ["front_0deg", "back_180deg"], "format": "jpeg"},
    )
    assert local_path(row.design) == "/shop/spring drop/a.png"


@pytest.mark.parametrize(
    "cell", ["white|black|navy", "white, black, navy", ["white", "black", "navy"], '["white","black","navy"]']
)
def test_many_colours_are_many_rows(cell: object) -> None:
    rows = list(rows_of(3, {"design": "a.png", "product_id": "t", "fabric_color": cell}, HERE))
    assert [(row.number, row.variant) for row in rows] == [(3, 0), (3, 1), (3, 2)]
    assert [row.request["fabric_color"] for row in rows if isinstance(row, Row)] == ["#ffffff", "#161616", "#1f2a44"]


def test_one_bad_colour_spoils_only_its_own_row() -> None:
    rows = list(rows_of(3, {"design": "a.png", "fabric_color": "white|nocolour"}, HERE))
    assert isinstance(rows[0], Row)
    assert isinstance(rows[1], Fault)
    assert (rows[1].number, rows[1].variant, rows[1].column) == (3, 1, "fabric_color")


def test_placements_are_json_or_structs_with_holes() -> None:
    placed = {"panel": "front", "x_cm": 1.0, "y_cm": 20.0, "width_cm": 12.0}
    text = one(placements='[{"panel": "front", "x_cm": 1, "y_cm": 20, "width_cm": 12}]')
    struct = one(placements=[{**placed, "height_cm": None}])
    assert isinstance(text, Row)
    assert isinstance(struct, Row)
    assert text.request["placements"] == struct.request["placements"]


@pytest.mark.parametrize(
    ("cells", "column"),
    [
        ({"design": ""}, "design"),
        ({"design": "/etc/passwd"}, "design"),
        ({"design": "../a.png"}, "design"),
        ({"design": "file:///etc/passwd"}, "design"),
        ({"design": "ftp://host/a.png"}, "design"),
        ({"size": "big"}, "size"),
        ({"size": "1.5"}, "size"),
        ({"size": "20000"}, "size"),
        ({"product_id": "a b"}, "product_id"),
        ({"views": "sideways"}, "views"),
        ({"placements": "{"}, "placements"),
        ({"fabric_color": "x" * 20_000}, "fabric_color"),
        ({"engine": "crayon"}, "engine"),
    ],
)
def test_a_bad_cell_is_a_fault_that_names_its_column(cells: dict[str, object], column: str) -> None:
    fault = one(12, **{"product_id": "t", **cells})
    assert isinstance(fault, Fault)
    assert (fault.number, fault.column, fault.code) == (12, column, "invalid_request")
    assert fault.hint


def test_relative_designs_follow_their_manifest() -> None:
    def design(base: str) -> str:
        (row,) = rows_of(1, {"design": "art/a b.png"}, Reading(base=base))
        assert isinstance(row, Row)
        return row.design

    assert design("s3://shop/spring/") == "s3://shop/spring/art/a b.png"
    assert design("https://shop.test/m/") == "https://shop.test/m/art/a%20b.png"


def test_unknown_columns_are_named_with_what_was_probably_meant() -> None:
    faults = unknown_columns(["product_id", "design", "fabric-colour", "stock"])
    assert [(fault.column, fault.code) for fault in faults] == [
        ("fabric-colour", "unknown_column"),
        ("stock", "unknown_column"),
    ]
    assert "fabric_color" in faults[0].hint


def test_rows_and_faults_survive_a_line() -> None:
    row = Row(number=4, variant=2, design="s3://b/ü.png", request={"size": 64})
    fault = Fault(number=5, product_id="t", column="size", code="invalid_request", message="m", hint="h")
    assert from_line(to_line(row)) == row
    assert from_line(to_line(fault)) == fault
