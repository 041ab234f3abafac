"""The log: every line of a job's work names the job, and no secret ever stands in it."""

import asyncio
import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from farm.adapters.memory_catalog import MemoryCatalog
from farm.adapters.memory_journal import open_memory
from farm.adapters.memory_store import MemoryStore
from farm.domain.access import new_key
from farm.errors import BlenderCrashed
from farm.log import about, start_logging, without_secrets
from farm.notify.endpoint import new_secret
from farm.render.ports import ViewTask
from farm.settings import Settings
from tests.workshop import prepared, workshop

log = logging.getLogger("farm.test")
SECRETS = {
    "FARM_REDIS_URL": "redis://farm:hunter2secret@store:6379/0",
    "FARM_SHOP_API_KEY": "sk_live_0123456789abcdef",
}


@pytest.fixture(params=["text", "json"])
def written(request: pytest.FixtureRequest) -> Iterator[io.StringIO]:
    """What is logged, in either form."""
    before = logging.root.handlers[:], logging.root.level
    stream = io.StringIO()
    start_logging(Settings.load({**SECRETS, "FARM_LOG_FORMAT": request.param}), "test", stream=stream)
    yield stream
    logging.root.handlers[:], level = before
    logging.root.setLevel(level)


async def test_every_line_about_a_job_names_it(written: io.StringIO, tmp_path: Path) -> None:
    place = workshop(tmp_path, open_memory(), MemoryStore(), MemoryCatalog(), view_attempts=2)

    def crash(task: ViewTask) -> None:
        log.warning("as a worker would")
        raise BlenderCrashed(view=task.view, reason="drill")

    place.painters.before = crash
    async with place.running():
        jobs = [(await place.service.submit(prepared(views=["front_0deg"])))["id"] for _ in range(2)]
        for job in jobs:
            await place.ended(job)
    lines = [line for line in written.getvalue().splitlines() if "as a worker would" in line or "ended" in line]
    assert len(lines) >= 2 * 3
    for line in lines:
        named = json.loads(line)["job_id"] if line.startswith("{") else line.partition("[")[2].partition("]")[0]
        assert named in jobs, line
        assert not any(other in line for other in jobs if other != named), "two jobs in one line"


async def test_jobs_side_by_side_do_not_mix(written: io.StringIO) -> None:
    async def work(job: str) -> None:
        with about(job):
            await asyncio.sleep(0)
            await asyncio.create_task(later(job))

    async def later(job: str) -> None:
        await asyncio.sleep(0)
        log.info("done by %s", job)

    await asyncio.gather(*(work(f"job_{number}") for number in range(5)))
    log.info("done by nobody")
    for line in written.getvalue().splitlines():
        job = line.partition("done by ")[2].strip('"}').partition('"')[0]
        assert line.count(job) == (1 if job == "nobody" else 2), line


def test_no_secret_is_logged(written: io.StringIO) -> None:
    _, token = new_key(tenant="default", scopes=["admin"], name="", created_at="")
    hook = new_secret().text
    signed = "https://bucket/key?X-Amz-Credential=AKIAEXAMPLE%2F2026&X-Amz-Signature=0123456789abcdef0123"
    url = SECRETS["FARM_REDIS_URL"]
    log.info("key %s, webhook %s, store %s, shop %s", token, hook, url, SECRETS["FARM_SHOP_API_KEY"])
    log.info("Authorization: Bearer %s to %s", token, signed)
    try:
        raise RuntimeError(f"cannot reach {url} with password='correct horse' and secret: {hook}")
    except RuntimeError:
        log.exception("it failed")
    text = written.getvalue()
    hidden = [token.split("_", 2)[2], hook.removeprefix("whsec_"), "hunter2secret", SECRETS["FARM_SHOP_API_KEY"]]
    hidden += ["AKIAEXAMPLE", "0123456789abcdef0123", "correct"]
    for secret in hidden:
        assert secret not in text
    assert "Traceback" in text
    assert token.split("_")[1] in text, "which key it was may be known"


def test_json_lines_are_json_whatever_is_in_them() -> None:
    stream = io.StringIO()
    before = logging.root.handlers[:], logging.root.level
    start_logging(Settings.load({"FARM_LOG_FORMAT": "json"}), "test", stream=stream)
    try:
        with about("job_1"):
            log.warning('two\nlines, "quotes" and ä\u2028')
            try:
                raise ValueError("x\ny")
            except ValueError:
                log.exception("trouble")
    finally:
        logging.root.handlers[:], level = before
        logging.root.setLevel(level)
    lines = stream.getvalue().rstrip("\n").split("\n")
    told = [json.loads(line) for line in lines]
    assert [one["job_id"] for one in told] == ["job_1", "job_1"]
    assert told[0]["level"] == "warning"
    assert "ValueError" in told[1]["trouble"]


@pytest.mark.parametrize(
    "text", ["view front_0deg of job_1", "https://shop.example/farm?x=1", "2 secrets sign", "12:30:45 user@example.com"]
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert without_secrets(text) == text
