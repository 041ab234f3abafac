from dataclasses import fields
from pathlib import Path

from farm.cli.config import setting_rows, settings_markdown
from farm.settings import Settings, users_settings, variable_of

ROOT = Path(__file__).parents[3]


def test_each_row_says_where_its_value_comes_from(tmp_path: Path) -> None:
    (tmp_path / "farm.toml").write_text("shards = 3\nrender_slots = 2\n")
    environ = {"FARM_HOME": str(tmp_path), "FARM_RENDER_SLOTS": "4", "FARM_REDIS_URL": "redis://:secret@db"}
    rows = {row.name: row for row in setting_rows(Settings.load(environ), environ)}
    assert list(rows) == [setting.name for setting in users_settings()]
    assert (rows["shards"].value, rows["shards"].source) == (3, "farm.toml")
    assert (rows["render_slots"].value, rows["render_slots"].source) == (4, "environment")
    assert (rows["lease_s"].value, rows["lease_s"].source) == (rows["lease_s"].default, "default")
    assert (rows["ray_address"].variable, rows["templates"].value) == ("RAY_ADDRESS", "")


def test_a_drill_is_shown_where_it_is_set_and_nowhere_else(tmp_path: Path) -> None:
    environ = {"FARM_HOME": str(tmp_path), "FARM_FAILPOINTS": "create_job.before=raise", "FARM_NULL_EFFECTS": "no"}
    *_, last = setting_rows(Settings.load(environ), environ)
    assert (last.name, last.value, last.source) == ("failpoints", "create_job.before=raise", "environment")
    assert not {"failpoints", "null_effects"} & {row.name for row in setting_rows(Settings(), {})}


def test_secrets_are_not_shown() -> None:
    environ = {"FARM_REDIS_URL": "redis://:hunter2@db"}
    assert "hunter2" not in str(setting_rows(Settings.load(environ), environ))


def test_the_markdown_names_every_setting_once_with_its_meaning() -> None:
    text = settings_markdown()
    for setting in fields(Settings):
        rows = [line for line in text.splitlines() if line.startswith(f"| `{variable_of(setting)}` |")]
        assert len(rows) == 1, setting.name
        assert str(setting.metadata["about"]).partition("|")[0] in rows[0]
        assert rows[0].count("|") - rows[0].count("\\|") == 5


def test_drills_are_not_among_the_settings_that_users_are_told_of() -> None:
    users, _, drills = settings_markdown().partition("## Drills")
    assert [name for name in ("FARM_FAILPOINTS", "FARM_NULL_EFFECTS") if name in users] == []
    assert drills.count("| `FARM_") == 2


def test_the_document_of_settings_is_the_one_that_the_command_prints() -> None:
    assert (ROOT / "docs" / "settings.md").read_text("utf-8") == settings_markdown(), (
        "make it anew: farm config --markdown > docs/settings.md"
    )
