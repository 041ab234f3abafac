"""Products on a terminal of 80 columns: nothing that is needed for the next command is cut."""

from farm.cli.products import product_table, products_table
from farm.render.ports import MediaEntry, Product
from tests.unit.cli.paper import JOB
from tests.unit.cli.test_summary import text_of

URL = "http://127.0.0.1:8000/v1/jobs/job_01kawr3v0000000000000000/outputs/front_0deg.png"


def product(id: str, **facts: object) -> Product:
    entry = MediaEntry(id="m", url=URL, job_id=JOB, view="front_0deg", fabric_color="#1f2a44")
    return Product(tenant="default", id=id, media=(entry,), thumbnail=URL, metadata=facts)


def test_the_list_has_every_id_whole() -> None:
    ids = ["prod_01K9ZT4W8Q7H2M5N6P3R1S0VXY", "summer-collection-2027:tidewater-badge:navy:xl", "x" * 128]
    text = text_of(products_table([product(id) for id in ids]))
    assert max(len(line) for line in text.splitlines()) <= 80
    folded = "".join(line.split("  ")[0].strip() for line in text.splitlines()[1:])
    assert folded == "".join(ids)
    assert text.count("front_0deg  #1f2a44") == 3


def test_a_product_is_a_table_with_its_addresses_to_be_copied() -> None:
    film = "http://127.0.0.1:8000/v1/jobs/job_01kawr3v0000000000000000/outputs/animation.mp4"
    text = text_of(product_table(product("tee-1", **{f"render_{JOB}": {"animation": film}, "season": "spring"})))
    assert "{" not in text, "no dictionary is printed as it is"
    lines = [line.split() for line in text.splitlines()]
    assert ["front_0deg", "#1f2a44", JOB, "thumbnail"] in lines
    assert ["season", "spring"] in lines
    assert f"animation of {JOB}" in text
    assert {URL, film} <= set(text.splitlines()), "uncropped, as the command prints it"
    assert "none" in text_of(product_table(Product(tenant="default", id="bare")))
