"""Pictures made before the job are the job's own, byte for byte: by the shipped light, and by a worker's own steps."""

from pathlib import Path
from threading import Event
from typing import Any

import pytest

from blender.kernel import KernelCache
from farm.adapters.bake_shelf import BakeShelf
from farm.adapters.memory_store import MemoryStore
from farm.adapters.rehearsal import SETUP, rehearse
from farm.adapters.shipped_light import ShippedLight
from farm.adapters.texture_cache import TextureCache
from farm.domain.request import parse_request
from farm.domain.template import Template
from farm.errors import BadPicture
from farm.picture import expectation, neighbours, reduction, resample, shading
from farm.render.early import EarlyPicture, early_pictures
from farm.render.ports import ComposeTask, ObjectStore, ViewTask
from farm.render.prepare import Prepared, prepare
from farm.render.tasks.compose_task import compose_textures
from farm.render.tasks.heartbeat import Progress
from farm.render.tasks.judge import judge_with
from farm.render.tasks.relighter import Relighter
from farm.render.tasks.task_log import TaskLog
from farm.render.tasks.view_task import Bench, render_view
from farm.settings import Settings

DESIGN = Path(__file__).parents[3] / "examples" / "nordlys.png"
VIEWS = ["front_0deg", "left_90deg"]


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings(home=tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def shelf(settings: Settings) -> BakeShelf:
    return BakeShelf.of(settings)


@pytest.fixture(scope="module")
def template(settings: Settings) -> Template:
    return Template.load(settings.templates_folder / "crew-tee")


@pytest.fixture
def store(settings: Settings) -> ShippedLight:
    return ShippedLight(MemoryStore(), settings.template_folders)


def relighter(store: ObjectStore, shelf: BakeShelf, template: Template) -> Relighter:
    return Relighter(
        store=store, shelf=shelf, template=template.id, template_hash=template.hash, folder=template.folder, threads=1
    )


def early(
    prepared: Prepared, store: ObjectStore, shelf: BakeShelf, template: Template, folder: Path, stop: Event
) -> list[EarlyPicture]:
    made = early_pictures(prepared, template, lambda: relighter(store, shelf, template), folder=folder, stop=stop)
    return list(made)


def by_the_job(
    prepared: Prepared, store: ObjectStore, shelf: BakeShelf, template: Template, folder: Path
) -> dict[str, bytes]:
    """As coordinator and workers do it: textures through the store, one task for each view."""
    design = prepared.designs[0]
    store.put("t/one/jobs/j/design/0.png", design.data, content_type="image/png")
    composing = ComposeTask(
        tenant="one", job_id="j", token="compose-t", request=prepared.request,
        designs=({"key": "t/one/jobs/j/design/0.png", "sha256": design.sha256},),
    )  # fmt: skip
    textures = compose_textures(
        composing, store=store, template=template.folder, progress=Progress(), log=TaskLog("compose")
    )
    bench = Bench(
        store=store,
        textures=TextureCache(folder),
        open_renderer=lambda: relighter(store, shelf, template),
        judge=judge_with(template.folder),
        template=template.folder,
        folder=folder,
        threads=1,
        device="cpu",
        where={},
        check_lease=lambda: None,
    )
    made = {}
    for view in prepared.request["views"]:
        task = ViewTask(
            tenant="one", job_id="j", token=f"t-{view}", view=view, attempt=1, request=prepared.request,
            textures=tuple(textures), deadline_s=60,
        )  # fmt: skip
        artifact = render_view(task, bench=bench, progress=Progress(), log=TaskLog(view)).artifact
        made[artifact.name] = store.get(artifact.key, sha256=artifact.sha256)
    return made


@pytest.mark.parametrize(
    "given",
    [{"size": 192}, {"size": 256, "format": "jpeg", "background_color": "#ffffff", "fabric_color": "navy"}],
    ids=["png", "jpeg"],
)
def test_the_job_makes_the_very_bytes(
    settings: Settings, store: ShippedLight, shelf: BakeShelf, template: Template, tmp_path: Path, given: dict[str, Any]
) -> None:
    prepared = prepare(settings, parse_request({"engine": "relight", "views": VIEWS, **given}), [DESIGN.read_bytes()])
    shown = early(prepared, store, shelf, template, tmp_path, Event())
    assert [picture.view for picture in shown] == VIEWS
    assert {picture.name: picture.data for picture in shown} == by_the_job(prepared, store, shelf, template, tmp_path)


def test_a_picture_that_its_verdict_refuses_is_not_shown(
    settings: Settings, store: ShippedLight, shelf: BakeShelf, template: Template, tmp_path: Path
) -> None:
    prepared = prepare(settings, parse_request({"views": VIEWS[:1], "size": 192}), [DESIGN.read_bytes()])

    class Painted(Relighter):
        def render(self, order: Any, *arguments: Any, **more: Any) -> Any:
            report = super().render(order, *arguments, **more)
            Path(order.out).write_bytes(Path(order.out).read_bytes()[:400])
            return report

    def spoilt() -> Relighter:
        return Painted(
            store=store, shelf=shelf, template=template.id, template_hash=template.hash,
            folder=template.folder, threads=1,
        )  # fmt: skip

    with pytest.raises(BadPicture, match="does not decode"):
        list(early_pictures(prepared, template, spoilt, folder=tmp_path, stop=Event()))


def test_told_to_stop_it_begins_no_further_picture(
    settings: Settings, store: ShippedLight, shelf: BakeShelf, template: Template, tmp_path: Path
) -> None:
    prepared = prepare(settings, parse_request({"views": VIEWS, "size": 192}), [DESIGN.read_bytes()])
    stop = Event()
    stop.set()
    assert early(prepared, store, shelf, template, tmp_path, stop) == []
    assert list(tmp_path.iterdir()) == []


def kernels() -> dict[str, int]:
    """How many types of arguments each loop is there for."""
    found = {}
    for module in (expectation, neighbours, reduction, resample, shading):
        for name, one in vars(module).items():
            if isinstance(getattr(one, "_cache", None), KernelCache):
                found[f"{module.__name__}.{name}"] = len(one.signatures)
    return found


def test_after_the_rehearsal_of_set_up_a_picture_compiles_nothing(
    settings: Settings, store: ShippedLight, shelf: BakeShelf, template: Template, tmp_path: Path
) -> None:
    assert rehearse(settings, store, shelf, SETUP) == len(SETUP)
    compiled = kernels()
    assert len(compiled) > 10
    prepared = prepare(settings, parse_request({"views": VIEWS, "fabric_color": "navy"}), [DESIGN.read_bytes()])
    assert len(early(prepared, store, shelf, template, tmp_path, Event())) == len(VIEWS)
    assert kernels() == compiled
