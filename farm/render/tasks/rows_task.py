"""Rows of a batch as one task: designs fetched and decoded, composed, relit, judged, stored; bakes stay open between.

Rows of one look are done together (`farm.render.tasks.alike_rows`). What one row meets is answered for that row; what
meets the process (the store, its lease, memory) is raised.
"""

from typing import Any

from farm.render.catalog.look import by_look, look_of, shared_by
from farm.render.catalog.ports import RowsTask
from farm.render.tasks.alike_rows import AlikeRows
from farm.render.tasks.heartbeat import Progress
from farm.render.tasks.row_bench import RowBench
from farm.render.tasks.row_state import Fetched


def relight_rows(task: RowsTask, *, bench: RowBench, progress: Progress) -> list[dict[str, Any]]:
    """Do all rows; answers come in the order of the rows.

    Raises:
        AttemptOvertaken: nothing of this counts any more.
        InfrastructureError, DiskFull: as the farm's own services met them; nothing was settled.
    """
    last: dict[str, Fetched] = {}
    answers: dict[int, dict[str, Any]] = {}
    looks = [look_of(row["design"], shared_by(row["request"])) for row in task.rows]
    for rows in by_look(task.rows, looks):
        done = len(answers)

        def moved(share: float, rows_here: int = len(rows), done: int = done) -> None:
            made = done + share * rows_here
            progress.enter(f"row {int(made) + 1} of {len(task.rows)}", made / len(task.rows))

        moved(0.0)
        for answer in AlikeRows(task, rows, bench, moved).done(last):
            answers[answer["i"]] = answer
    progress.enter("done", 1.0)
    return [answers[row["i"]] for row in task.rows]
