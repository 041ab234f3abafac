"""A job's log as text: what its saga did, and what its workers wrote while their logs are there. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any

_NOTHING = "-"


def saga_lines(record: Mapping[str, Any]) -> Iterable[str]:
    """The job's life by its record, a line for each thing that happened, in the order in which it began."""
    told = [(record["created_at"], f"accepted  {record['id']}")]
    if record.get("retried_from"):
        told.append((record["created_at"], f"a retry of {record['retried_from']}, number {record['retry_count']}"))
    for warning in record["warnings"]:
        told.append((record["created_at"], f"warning  {warning['code']}: {warning['message']}"))
    for step in record["steps"]:
        told.append((step["started_at"], f"{step['step']}  begins"))
        attempts = f" at attempt {step['attempts']}" if step["attempts"] > 1 else ""
        if step["error"]:
            told.append(
                (step["finished_at"] or record["updated_at"], f"{step['step']}  {_said(step['error'])}{attempts}")
            )
        if step["finished_at"] or step["status"] not in ("running", "finished"):
            told.append((step["finished_at"] or record["updated_at"], f"{step['step']}  {step['status']}{attempts}"))
    for view in record["views"]:
        if view["attempts"] or view["status"] != "waiting":
            told.append((record["updated_at"], f"view {view['view']}  {_view(view)}"))
    if record["error"]:
        told.append((record["finished_at"] or record["updated_at"], f"error  {_said(record['error'])}"))
    if record["finished_at"]:
        told.append((record["finished_at"], str(record["status"])))
    if record["compensation_pending"]:
        told.append((record["finished_at"], f"not undone yet: {', '.join(record['steps_left'])}"))
    for at, line in sorted(told, key=lambda one: one[0] or ""):
        yield f"{at or _NOTHING}  {line}"


def _view(view: Mapping[str, Any]) -> str:
    parts = [str(view["status"])]
    if view["attempts"] > 1:
        parts.append(f"{view['attempts']} attempts")
    if view["seconds"] is not None:
        parts.append(f"{view['seconds']:.2f} s")
    report = view.get("report") or {}
    parts += [f"{name} {report[name]}" for name in ("device", "samples", "node", "process") if report.get(name)]
    if view["error"]:
        parts.append(_said(view["error"]))
    return ", ".join(parts)


def _said(error: Mapping[str, Any]) -> str:
    return f"{error['code']}: {error.get('message', '')}".replace("\n", " ")
