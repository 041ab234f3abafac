"""What the wizard asks for while a hand moves: one thing at a time, the newest next, as large as is quick enough."""

from tests.unit.pages.node import in_node


def test_of_what_is_asked_meanwhile_the_last_is_next_and_nothing_runs_beside_it() -> None:
    script = """async (asked) => {
        const done = [];
        let [busy, most, go] = [0, 0, null];
        const latest = new it.Latest(async (what) => {
            busy += 1;
            most = Math.max(most, busy);
            await new Promise((resume) => { go = resume; });
            busy -= 1;
            done.push(what);
        });
        const turn = async () => { go(); await new Promise((resume) => setTimeout(resume, 1)); };
        for (const what of asked) latest.ask(what);
        await turn();
        await turn();
        latest.ask("old");
        latest.ask("dropped");
        latest.drop();
        await turn();
        latest.ask("new");
        await turn();
        return [done, most, busy];
    }"""
    assert in_node("latest.js", script, [1, 2, 3, 4, 5]) == [[1, 5, "old", "new"], 1, 0]


def test_pictures_get_smaller_where_five_a_second_are_too_many_and_larger_again() -> None:
    script = """(times) => {
        const pace = new it.Pace();
        return times.map((ms) => { pace.took(pace.size, ms); return pace.size; });
    }"""
    slow_once = [100, 500, 100]
    assert in_node("latest.js", script, slow_once) == [512, 512, 512]
    assert in_node("latest.js", script, [300] * 8) == [512, 384, 384, 256, 256, 256, 256, 256]
    assert in_node("latest.js", script, [300, 300, 60, 60]) == [512, 384, 512, 512]
