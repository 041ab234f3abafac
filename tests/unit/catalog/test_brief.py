from farm.domain.status import Status
from farm.render.catalog.brief import brief, full
from farm.render.catalog.outputs import output_key

HASH = "ab" * 32
TEMPLATE = {"id": "crew-tee", "version": "1", "hash": "cd" * 32}


def url_of(key: str) -> str:
    return f"https://cdn/{key}"


def record(**more: object) -> dict[str, object]:
    done = {
        "sha256": HASH,
        "token": "tok",
        "seconds": 0.25,
        "renderer": "relight 1",
        "device": "cpu",
        "warnings": [{"code": "print_low_dpi", "message": "soft", "pointer": "/placements/0"}],
        "views": [
            {
                "view": "front_0deg",
                "sha256": "12" * 32,
                "size_bytes": 99,
                "width_px": 64,
                "height_px": 64,
                "fingerprint": "34" * 32,
                "cached": True,
            }
        ],
    }
    values = {
        "tenant": "default",
        "status": Status.COMPLETED,
        "run_id": "run_x",
        "place": (3, 17, 1),
        "request": {"product_id": "tee", "engine": "relight", "views": ["front_0deg"], "size": 64, "format": "jpeg"},
        "template": TEMPLATE,
        "created_at_s": 10.0,
        "finished_at_s": 12.5,
        "done": done,
        "media": {"media_ids": ["m1"], "superseded": ["job_old"]},
        **more,
    }
    return brief("job_1", **values)  # type: ignore[arg-type]


def test_the_full_record_says_all_that_a_jobs_record_says() -> None:
    shown = full(record(), url_of)
    assert (shown["id"], shown["status"], shown["product_id"]) == ("job_1", "completed", "tee")
    assert shown["run"] == {"id": "run_x", "slice": 3, "row": 17, "variant": 1}
    (artifact,) = shown["artifacts"]
    assert artifact["key"] == output_key("default", "job_1", "tok", "front_0deg.jpg")
    assert (artifact["sha256"], artifact["fingerprint"]) == ("12" * 32, "34" * 32)
    assert shown["outputs"] == {"front_0deg.jpg": url_of(artifact["key"])}
    assert shown["views"][0]["report"]["cached"] is True
    assert shown["designs"] == [HASH]
    assert shown["template"] == TEMPLATE
    assert (shown["media_ids"], shown["superseded"]) == (["m1"], ["job_old"])
    assert shown["warnings"] == [{"code": "print_low_dpi", "message": "soft", "pointer": "/placements/0"}]
    assert shown["request"]["background_color"] == "#ffffff", "what the format makes of the default"
    assert shown["finished_at"] is not None


def test_a_failed_row_keeps_its_error_and_nothing_else() -> None:
    error = {"code": "bad_picture", "message": "blank", "retryable": True, "hint": "again", "step": None}
    shown = full(record(status=Status.FAILED, done=None, media=None, error=error, steps_left=["attach_rows"]), url_of)
    assert (shown["artifacts"], shown["outputs"], shown["error"]) == ([], {}, error)
    assert shown["compensation_pending"] is True


def test_a_brief_record_is_brief() -> None:
    import json

    assert len(json.dumps(record(), separators=(",", ":"))) < 700


def test_any_other_record_stays_as_it_is() -> None:
    assert full({"id": "job_2", "status": "completed"}, url_of) == {"id": "job_2", "status": "completed"}
