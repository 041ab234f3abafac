"""A job's progress under any course of its attempts."""

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.cli.paper import Journal
from tests.unit.render.test_progress import VIEWS, WRONG, told

NAMES = st.sampled_from([*VIEWS, "model", "frame"])
STEPS = st.lists(st.tuples(NAMES, st.sampled_from(["begin", "beat", "fail", "done"]), st.floats(0, 1)), max_size=40)


@given(STEPS)
def test_whatever_happens_it_never_runs_back(steps: list[tuple[str, str, float]]) -> None:
    journal = Journal(views=list(VIEWS), mode="all", model=True).rendering()
    now: dict[str, float] = {}
    farthest: dict[str, float] = {}
    done: set[str] = set()
    frames = 0
    last = 0.0
    for name, what, share in steps:
        if name == "frame":
            if what == "done" and frames < 36:
                journal.noted(event="frame_done", frame=frames)
                frames += 1
        elif name not in done:
            kind, which = ("model", {}) if name == "model" else ("view", {"view": name})
            if what == "beat":
                now[name] = share
                farthest[name] = max(share, farthest.get(name, 0.0))
            else:
                now.pop(name, None)
                event = {"begin": "attempt", "fail": "failed", "done": "done"}[what]
                journal.noted(event=f"{kind}_{event}", **which, attempt=1, error=WRONG, report={"total_s": 1.0})
                done |= {name} if what == "done" else set()
        reached = told(journal, now, farthest)["progress"]
        assert reached >= last
        last = reached
