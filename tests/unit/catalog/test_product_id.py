"""Ids that a spreadsheet or a data frame made numbers of."""

from decimal import Decimal

import pytest

from farm.errors import InvalidRequest
from farm.render.catalog.product_id import product_id_of


@pytest.mark.parametrize(
    ("cell", "wanted"),
    [
        ("tee-1", "tee-1"),
        ("12345", "12345"),
        (12345, "12345"),
        (2**70, str(2**70)),
        (12345.0, "12345"),
        (9007199254740991.0, "9007199254740991"),
        (Decimal("12345.00"), "12345"),
        ("12345.0", "12345"),
        ("12345,00", "12345"),
        ("00123.0", "00123"),
        ("1.2345E+08", "123450000"),
        ("1,2345E+08", "123450000"),
        ("1e+05", "100000"),
        ("1.23456789e+08", "123456789"),
        ("1.25E+02", "125"),
        # These may be ids of somebody's own, and no number.
        ("1E5", "1E5"),
        ("2.10", "2.10"),
        ("1.5.0", "1.5.0"),
        ("12.5", "12.5"),
    ],
)
def test_the_whole_number_is_read_that_it_was(cell: object, wanted: str) -> None:
    assert product_id_of(cell) == wanted


@pytest.mark.parametrize(
    "cell",
    [
        "1.23457E+11",  # as a spreadsheet shows 123456789012
        "1.23E+11",  # as its scientific cells show it
        "1.2345678901234568e+19",  # as a data frame writes 12345678901234567890
        "12345678901234567890.0",
        "9007199254740992.0",
        1e19,
        9007199254740992.0,
        0.5,
        float("nan"),
        float("inf"),
        Decimal("1.5"),
        Decimal("NaN"),
        Decimal("1E+200"),
    ],
)
def test_where_digits_were_lost_it_is_refused(cell: object) -> None:
    with pytest.raises(InvalidRequest) as refused:
        product_id_of(cell)
    assert refused.value.fields["errors"][0]["pointer"] == "/product_id"
