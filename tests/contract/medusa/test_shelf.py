"""How jobs change a shelf, over all orders of coming and going; no shop is needed for that."""

import dataclasses
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from farm.adapters.medusa_shelf import (
    KEPT_SUPERSEDED,
    Image,
    Record,
    Shelf,
    associated,
    changes,
    dissociated,
    mended,
)
from farm.render.ports import Association, MediaEntry

VIEWS = ("front_0deg", "left_90deg")
BY_HAND = Shelf(
    images=(Image(id="img_1", url="https://shop/1"), Image(id="img_2", url="https://shop/2")), thumbnail="t"
)


def wanted(job_id: str, colour: str = "white", *, replace: bool = True, **more: Any) -> Association:
    entries = tuple(
        MediaEntry(id=f"{job_id}.{view}", url=f"https://farm/{job_id}/{view}.png", view=view) for view in VIEWS
    )
    made = Association(job_id=job_id, fabric_color=colour, entries=entries, thumbnail=entries[0].url, replace=replace)
    return dataclasses.replace(made, **more)


def ids(shelf: Shelf) -> list[str]:
    return [image.id for image in shelf.images]


colours = st.sampled_from(["white", "white", "black"])
jobs = st.lists(st.tuples(colours, st.sampled_from([True, True, False])), min_size=1, max_size=6)


@settings(max_examples=300, deadline=None)
@given(jobs=jobs, data=st.data())
def test_what_was_taken_back_has_never_been(jobs: list[tuple[str, bool]], data: st.DataObject) -> None:
    shelf = BY_HAND
    alive: list[Association] = []
    for number, (colour, replace) in enumerate(jobs):
        job = wanted(f"job-{number}", colour, replace=replace)
        shelf = through_the_shop(associated(shelf, job))
        alive.append(job)
        assert associated(shelf, job) == shelf
        gone: Association | None = data.draw(st.sampled_from([None, *alive]))
        if gone is not None:
            shelf = taken_back(shelf, gone, alive)
    for job in data.draw(st.permutations(alive)):
        shelf = taken_back(shelf, job, alive)
    assert shelf == BY_HAND


def taken_back(shelf: Shelf, job: Association, alive: list[Association]) -> Shelf:
    alive.remove(job)
    shelf = through_the_shop(dissociated(shelf, job.job_id))
    assert dissociated(shelf, job.job_id) == shelf
    never = BY_HAND
    for other in alive:
        never = associated(never, other)
    assert sorted(ids(shelf)) == sorted(ids(never))
    assert shelf.thumbnail == never.thumbnail
    return shelf


@given(jobs=jobs)
def test_the_last_one_taken_back_leaves_the_order_as_it_was(jobs: list[tuple[str, bool]]) -> None:
    shelf = BY_HAND
    before = []
    for number, (colour, replace) in enumerate(jobs):
        before.append(shelf)
        shelf = associated(shelf, wanted(f"job-{number}", colour, replace=replace))
    for number in reversed(range(len(jobs))):
        shelf = dissociated(shelf, f"job-{number}")
        assert ids(shelf) == ids(before[number])
        assert shelf.thumbnail == before[number].thumbnail


def through_the_shop(shelf: Shelf) -> Shelf:
    """What the shop hands out after it was given this shelf."""
    return Shelf.from_json(
        {
            "id": "prod_1",
            "thumbnail": shelf.thumbnail,
            "images": [{"id": image.id, "url": image.url, "rank": n} for n, image in enumerate(shelf.images)],
            "metadata": {f"render_{job_id}": record.to_json() for job_id, record in shelf.records.items()},
        }
    )


def test_new_pictures_stand_where_the_old_ones_stood() -> None:
    first = associated(BY_HAND, wanted("job-1"))
    moved = Shelf(images=(*first.images[2:], *first.images[:2]), thumbnail=first.thumbnail, records=first.records)
    second = associated(moved, wanted("job-2"))
    assert ids(second) == ["job-2.front_0deg", "job-2.left_90deg", "img_1", "img_2"]
    assert second.records["job-2"].supersedes == ("job-1",)
    assert dissociated(second, "job-2") == moved


def test_one_write_says_all_that_changed() -> None:
    first = associated(BY_HAND, wanted("job-1"))
    second = associated(first, wanted("job-2"))
    body = changes(first, second)
    assert body is not None
    assert [image["id"] for image in body["images"]] == ids(second)
    assert body["thumbnail"] == "https://farm/job-2/front_0deg.png"
    assert set(body["metadata"]) == {"render_job-1", "render_job-2"}
    back = changes(second, dissociated(second, "job-2"))
    assert back is not None
    assert back["metadata"]["render_job-2"] == ""
    assert changes(second, associated(second, wanted("job-2"))) is None


def test_a_job_that_gave_way_does_not_come_back_by_repetition() -> None:
    shelf = associated(associated(BY_HAND, wanted("job-1")), wanted("job-2"))
    assert associated(shelf, wanted("job-1")) == shelf


def test_an_entry_lost_to_somebody_else_is_put_back_without_touching_the_thumbnail() -> None:
    shelf = associated(BY_HAND, wanted("job-1"))
    damaged = Shelf(images=shelf.images[:-1], thumbnail="chosen by hand", records=shelf.records)
    again = associated(damaged, wanted("job-1"))
    assert ids(again) == ids(shelf)
    assert again.thumbnail == "chosen by hand"
    assert dissociated(again, "job-1").thumbnail == "chosen by hand"


def test_a_picture_removed_by_hand_does_not_return_with_its_job() -> None:
    shelf = associated(BY_HAND, wanted("job-1"))
    fewer = Shelf(images=shelf.images[:-1], thumbnail=shelf.thumbnail, records=shelf.records)
    assert ids(dissociated(associated(fewer, wanted("job-2")), "job-2")) == ids(fewer)


def test_a_job_without_front_view_leaves_the_thumbnail_unless_it_replaces_its_picture() -> None:
    assert associated(BY_HAND, wanted("job-1", thumbnail=None)).thumbnail == "t"
    first = associated(BY_HAND, wanted("job-1"))
    assert associated(first, wanted("job-2", thumbnail=None, replace=False)).thumbnail == first.thumbnail
    second = associated(first, wanted("job-2", thumbnail=None))
    assert second.thumbnail == "https://farm/job-2/front_0deg.png"
    assert dissociated(second, "job-2") == first


def test_without_its_record_a_job_is_known_by_its_ids() -> None:
    shelf = associated(BY_HAND, wanted("job-1"))
    bare = Shelf(images=shelf.images, thumbnail=shelf.thumbnail)
    assert ids(dissociated(bare, "job-1")) == ids(BY_HAND)
    again = associated(bare, wanted("job-1"))
    assert ids(again) == ids(shelf)
    assert again.records["job-1"].previous_thumbnail is None


def test_mending_shows_what_the_records_speak_of() -> None:
    first = associated(BY_HAND, wanted("job-1"))
    both = associated(first, wanted("job-2"))
    third = associated(both, wanted("job-3", "black"))
    overwritten = Shelf(images=first.images, thumbnail=third.thumbnail, records=third.records)
    assert sorted(ids(mended(overwritten))) == sorted(ids(third))
    assert mended(third) == third


def test_what_gave_way_long_ago_is_forgotten() -> None:
    shelf = BY_HAND
    for number in range(30):
        shelf = associated(shelf, wanted(f"job-{number:02d}"))
    assert len(shelf.records) == KEPT_SUPERSEDED + 1
    for number in reversed(range(30)):
        shelf = dissociated(shelf, f"job-{number:02d}")
    assert shelf == BY_HAND


def test_people_may_write_anything_into_metadata() -> None:
    job_id = "job_" + "0" * 26
    nonsense: list[Any] = [None, "", 7, [], {}, {"media": 3}, {"media": [{"id": 1}]}, {"media": [[]]}]
    for value in nonsense:
        assert Record.from_json(value) is None
        product = {"images": None, "thumbnail": "", "metadata": {f"render_{job_id}": value, "render_quality": value}}
        shelf = Shelf.from_json(product)
        assert set(shelf.records) == {job_id}
        assert changes(shelf, dissociated(shelf, job_id)) == {"images": [], "metadata": {f"render_{job_id}": ""}}


def test_a_thumbnail_goes_back_to_a_picture_that_is_shown() -> None:
    first = associated(BY_HAND, wanted("job-1"))
    black = associated(first, wanted("job-2", "black"))
    third = associated(black, wanted("job-3", thumbnail=None))
    assert third.thumbnail == "https://farm/job-2/front_0deg.png"
    without_black = dissociated(third, "job-2")
    assert without_black.thumbnail == "https://farm/job-3/front_0deg.png"
    assert dissociated(without_black, "job-3") == first
