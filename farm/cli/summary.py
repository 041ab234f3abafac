"""A job in words: its title before it runs, its summary when it is over."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from farm.cli.console import ago, money, seconds, size, status_text, took_s, whole_line
from farm.cli.download import SavedFile
from farm.domain.shape import sides_text
from farm.settings import Settings

_NAMES = {"#ffffff": "white", "#161616": "black", "#000000": "#000000"}


def title(names: str, request: Mapping[str, Any]) -> str:
    """A request in one line."""
    place = request["preset"] or f"{len(request['placements'])} placed {_plural(request['placements'], 'layer')}"
    cloth = _NAMES.get(request["fabric_color"], request["fabric_color"])
    parts = []
    if request["mode"] != "animation-only" and request["views"]:
        parts.append(f"{len(request['views'])} {_plural(request['views'], 'view')}")
    if request["mode"] != "images-only":
        parts.append("turntable film")
    if request.get("model"):
        parts.append("3D model")
    # What is relit has the samples of its light; which it will be is not chosen yet where that is left open.
    samples = f", {request['samples']} samples" if request["engine"] == "cycles" else ""
    return f"{names} on {request['template']}, {place}, {cloth}: {_listed(parts)}, {sides_text(request)}{samples}"


def _listed(parts: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(parts[:-1]), parts[-1])))


def _plural(things: Sequence[Any], word: str) -> str:
    return word if len(things) == 1 else word + "s"


def request_table(request: Mapping[str, Any]) -> RenderableType:
    """A normalised request, field by field."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in request.items():
        if name == "placements":
            for number, layer in enumerate(value):
                table.add_row("placements" if number == 0 else "", _layer(layer))
        else:
            table.add_row(name, ", ".join(value) if isinstance(value, list) else "–" if value is None else str(value))
    return Padding(table, (0, 0, 0, 2))


def _layer(layer: Mapping[str, Any]) -> str:
    height = f" x {layer['height_cm']:g}" if layer["height_cm"] is not None else ""
    text = f"{layer['panel']}: {layer['width_cm']:g}{height} cm at x {layer['x_cm']:g}, y {layer['y_cm']:g} cm"
    extras = [
        f"{layer['rotation_deg']:g}°" if layer["rotation_deg"] else "",
        f"design {layer['design']}" if layer["design"] else "",
        layer["blend"] if layer["blend"] != "normal" else "",
        f"opacity {layer['opacity']:g}" if layer["opacity"] != 1 else "",
        "" if layer.get("underbase", True) else "no underbase",
    ]
    return ", ".join(filter(None, [text, *extras]))


def summary(
    record: Mapping[str, Any], files: Sequence[SavedFile], folder: Path | None, story: str = ""
) -> RenderableType:
    """How an ended job went: files, product, seconds, warnings; or what went wrong and what is left."""
    parts: list[RenderableType] = [_headline(record)]
    if story:
        parts.append(Padding(Text(story, style="dim"), (0, 0, 0, 2)))
    if files and folder is not None:
        parts += [
            Padding(_files(files, record), (1, 0, 1, 2)),
            Text.assemble("  in ", (str(folder), "bold"), overflow="fold"),
        ]
    if record["status"] == "completed" and record["product_id"] is not None:
        parts.append(_product(record))
    parts += [
        Padding(
            Text.assemble(("⚠ ", "yellow"), (str(warning["code"]), "yellow"), "  ", str(warning["message"])),
            (0, 0, 0, 2),
        )
        for warning in record["warnings"]
    ]
    if record["status"] != "completed":
        parts += _failure(record)
    return Group(*parts)


def _headline(record: Mapping[str, Any]) -> Text:
    mark = {"completed": ("✓ ", "bold green"), "cancelled": ("– ", "bold yellow")}.get(
        record["status"], ("✗ ", "bold red")
    )
    after = f" in {seconds(took_s(record))}" if record["status"] == "completed" else f" after {seconds(took_s(record))}"
    return Text.assemble(mark, status_text(record), after, "  ", (str(record["id"]), "dim"))


def _files(files: Sequence[SavedFile], record: Mapping[str, Any]) -> Table:
    took = {view["view"]: "kept" if view.get("cached") else seconds(view["seconds"]) for view in record["views"]}
    table = Table.grid(padding=(0, 3))
    table.add_column(no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    for file in files:
        pixels = f"{file.width_px} x {file.height_px}" if file.width_px else ""
        render = took.get(file.view, "") if file.view else ""
        table.add_row(
            file.path.name,
            Text(pixels, style="dim"),
            Text(size(file.size_bytes), style="dim"),
            Text(render, style="dim"),
        )
    return table


def _product(record: Mapping[str, Any]) -> Text:
    count = len(record["media_ids"])
    text = f"  product {record['product_id']} has {count} new {_plural(record['media_ids'], 'picture')}"
    if any(view["view"] == "front_0deg" for view in record["views"]):
        text += ", thumbnail front_0deg"
    return Text(text)


def _failure(record: Mapping[str, Any]) -> list[RenderableType]:
    lines: list[Text] = []
    commands: list[RenderableType] = []
    error = record["error"]
    if error is not None:
        lines.append(Text.assemble((str(error["code"]), "red"), "  ", str(error["message"])))
        if error.get("hint") and record["status"] == "failed":
            lines.append(Text.assemble(("hint: ", "dim"), str(error["hint"])))
    if record["compensation_pending"]:
        lines.append(Text("Not all could be undone. When the cause is mended:"))
        commands.append(_command(f"farm jobs compensate {record['id']}"))
    else:
        lines.append(Text("Everything is undone: no picture, no media entry, no file is left.", style="dim"))
        if record["status"] == "failed":
            commands.append(_command(f"farm jobs retry {record['id']}"))
    return [*(Padding(line, (0, 0, 0, 2)) for line in lines), *commands]


def _command(line: str) -> Text:
    return whole_line(f"    {line}", style="dim")


def job_table(record: Mapping[str, Any]) -> RenderableType:
    """A job's record for `farm jobs show`."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    step = f", step {record['step']}" if record["step"] and record["phase"] != "ended" else ""
    table.add_row("job", Text(str(record["id"]), style="bold"))
    far = f"  {record['progress']:.0f} %{step}" if record["phase"] != "ended" else ""
    table.add_row("status", Text.assemble(status_text(record), far))
    table.add_row("created", f"{record['created_at']}  ({ago(record['created_at'])})")
    if record["finished_at"]:
        table.add_row("finished", f"{record['finished_at']}  (took {seconds(took_s(record))})")
    table.add_row("product", str(record["product_id"] or "–"))
    table.add_row("request", Text(title("design", record["request"])))
    table.add_row("engine", Text(engine_words(record.get("engine") or {})))
    if (used := record.get("usage")) and (used["cpu_s"] or used["gpu_s"]):
        table.add_row(
            "cost", f"{money(record['cost'], record.get('currency') or Settings.load().currency)}  ({_used(used)})"
        )
    for name, what in (("retried_from", "retry of"), ("superseded_by", "superseded by")):
        if record.get(name):
            table.add_row(what, str(record[name]))
    for warning in record["warnings"]:
        table.add_row("warning", Text.assemble((str(warning["code"]), "yellow"), "  ", str(warning["message"])))
    if record["failpoints"]:
        table.add_row("drill", Text(str(record["failpoints"]), style="yellow"))
    parts: list[RenderableType] = [table]
    if record["error"]:
        parts += [Text(""), *_failure(record)] if record["phase"] == "ended" else [Text("")]
    if record["views"] or record.get("model"):
        parts += [Text(""), Padding(_view_table(record), (0, 0, 0, 2))]
    if record["outputs"]:
        parts += [Text(""), *(whole_line(f"  {url}", style="dim") for url in record["outputs"].values())]
    return Group(*parts)


def _used(usage: Mapping[str, float]) -> str:
    """Seconds of cores and of GPUs that pictures took."""
    kinds = (("cpu_s", "core"), ("gpu_s", "GPU"))
    return ", ".join(f"{seconds(usage[name])} of one {what}" for name, what in kinds if usage[name])


def _view_table(record: Mapping[str, Any]) -> Table:
    table = Table.grid(padding=(0, 3))
    for column in ("view", "status", "engine", "attempts", "seconds"):
        table.add_column(no_wrap=True, justify="left" if column in ("view", "status", "engine") else "right")
    model = record.get("model")
    for view in [*record["views"], *([{**model, "view": "model"}] if model else [])]:
        shown = view["status"].replace("_", " ")
        if view["status"] == "rendering":
            shown = f"{100 * float(view['progress']):.0f} %"
        attempts = f"{view['attempts']} attempts" if int(view["attempts"]) > 1 else ""
        engine = "kept from before" if view.get("cached") else _ENGINES.get(str(view.get("engine")), "")
        if view.get("preview"):
            engine = "preview is there"
        table.add_row(view["view"], shown, engine, attempts, seconds(view["seconds"]))
    return table


_ENGINES = {"cycles": "traced", "relight": "relit"}


def engine_words(engine: Mapping[str, Any]) -> str:
    """A job's engine: what was asked for, what was chosen, by which bake and how true that is."""
    asked, chosen = engine.get("asked", "cycles"), engine.get("chosen", "cycles")
    words = str(chosen) if asked == chosen else f"{chosen} (asked for {asked})"
    if engine.get("film") and engine.get("stills") and engine["film"] != engine["stills"]:
        words = f"{engine['stills']}, film {engine['film']}" + (f" (asked for {asked})" if asked == "auto" else "")
    if engine.get("bake"):
        words += f", bake {engine['bake']}"
    if engine.get("why"):
        return f"{words}; {engine['why']}"
    return words + (f", measured ΔE00 {engine['delta_e']:.2f}" if engine.get("delta_e") is not None else "")


def forecast_lines(told: Mapping[str, Any]) -> RenderableType:
    """What a job would be: engine, what is kept already, time and cost."""
    kept = [view["view"] for view in told["views"] if view["cached"]]
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row("made by", engine_words(told["engine"]))
    table.add_row("kept from before", ", ".join(kept) if kept else "nothing: all is rendered")
    if told["frames_cached"]:
        table.add_row("", f"{told['frames_cached']} frames of the film")
    cost = money(told["estimated_cost"], told.get("currency"))
    table.add_row("estimate", f"{seconds(told['estimated_seconds'])} here, cost {cost}")
    return Padding(table, (0, 0, 0, 2))
