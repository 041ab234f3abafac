"""Which column is which field."""

import pytest

from farm.render.catalog.headings import WrongHeadings, fields_of, no_design, renamed


@pytest.mark.parametrize("name", ["Design", " design ", "\ufeffDESIGN"])
def test_spelling_does_not_matter(name: str) -> None:
    assert fields_of([name, "Fabric Color", "product-id"], {}) == ["design", "fabric_color", "product_id"]


def test_the_exact_name_goes_before_another_spelling() -> None:
    assert fields_of(["Design", "design"], {}) == [None, "design"]


def test_a_mapped_column_goes_before_all() -> None:
    assert fields_of(["design", "Image Src"], {"design": "image src"}) == [None, "design"]
    assert fields_of(["design", "Art"], {"size": "Art"}) == ["design", "size"]


@pytest.mark.parametrize(
    ("names", "mapping"),
    [(["design", "design"], {}), (["Design", "DESIGN"], {}), (["a", "a"], {"design": "a"}), (["a"], {"design": "b"})],
)
def test_what_is_there_twice_or_not_at_all_is_refused(names: list[str], mapping: dict[str, str]) -> None:
    with pytest.raises(WrongHeadings):
        fields_of(names, mapping)


def test_twice_does_not_matter_where_it_means_nothing() -> None:
    assert fields_of(["design", "tags", "tags", "", ""], {}) == ["design", None, None, None, None]


def test_a_missing_design_names_the_mapping() -> None:
    assert '--map design="Image URL"' in str(no_design(["Name", "Image URL"]))
    assert '--map design="THE COLUMN"' in str(no_design(["Name"]))


def test_members_of_an_object_keep_a_name_that_means_nothing() -> None:
    assert renamed(("Art", "Stock", "Size"), (("design", "art"), ("views", "gone"))) == ("design", "Stock", "size")
