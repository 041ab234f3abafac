"""Dashboard and alerts name metrics that the code exports, with labels that it gives; promtool accepts the rules."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # Ray brings it, without types

from farm.render.metrics import METRICS

REPOSITORY = Path(__file__).parents[3]
DEPLOY = REPOSITORY / "deploy"
RULES = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yml").read_text())["groups"]
ALERTS: list[dict[str, Any]] = [rule for group in RULES for rule in group["rules"]]
PANELS: list[dict[str, Any]] = [
    panel for panel in json.loads((DEPLOY / "grafana" / "farm.json").read_text())["panels"] if panel["type"] != "row"
]
QUERIES = {
    **{f"panel {panel['title']} {target['refId']}": target["expr"] for panel in PANELS for target in panel["targets"]},
    **{f"alert {rule['alert']}": rule["expr"] for rule in ALERTS},
}
EXPORTED = {name: metric for metric in METRICS.values() for name in metric.exported}
RAY_S_OWN = {"ray_node_cpu_utilization", "ray_node_mem_used", "ray_node_disk_free", "ray_node_gpus_utilization"}
"""Metrics of Ray's own that the dashboard shows; bench/monitoring.py sees them in a real scrape."""


@pytest.mark.parametrize("name", QUERIES)
def test_every_query_is_about_metrics_that_are_exported(name: str) -> None:
    found = set(re.findall(r"\bray_\w+", QUERIES[name]))
    assert found
    assert found <= EXPORTED.keys() | RAY_S_OWN


@pytest.mark.parametrize("name", QUERIES)
def test_every_query_selects_and_groups_by_labels_that_are_given(name: str) -> None:
    query = QUERIES[name]
    metrics = [EXPORTED[found] for found in re.findall(r"\bray_farm_\w+", query)]
    if not metrics:
        return
    given = {label for metric in metrics for label in metric.labels} | {"le"}
    selected = {label for part in re.findall(r"\{([^}]*)\}", query) for label in re.findall(r"(\w+)\s*[=!]", part)}
    grouped = {label.strip() for part in re.findall(r"by \(([^)]*)\)", query) for label in part.split(",")}
    assert selected | grouped <= given


def test_every_metric_is_shown_or_rings() -> None:
    seen = {name for query in QUERIES.values() for name in re.findall(r"\bray_farm_\w+", query)}
    unseen = [name for name, metric in METRICS.items() if not set(metric.exported) & seen]
    assert unseen == []


def test_every_alert_says_how_urgent_it_is_and_has_its_section_in_the_runbook() -> None:
    runbook = (REPOSITORY / "docs" / "operations.md").read_text("utf-8")
    for rule in ALERTS:
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert rule["annotations"]["summary"]
        assert rule["annotations"]["description"]
        assert f"### {rule['alert']}\n" in runbook, rule["alert"]
    named = re.findall(r"^### (Farm\w+)$", runbook, re.MULTILINE)
    assert sorted(named) == sorted(rule["alert"] for rule in ALERTS)


def test_panels_have_titles_of_their_own_and_do_not_overlap() -> None:
    titles = [panel["title"] for panel in PANELS]
    assert len(titles) == len(set(titles))
    places = [panel["gridPos"] for panel in PANELS]
    for number, one in enumerate(places):
        assert one["x"] + one["w"] <= 24
        for other in places[number + 1 :]:
            apart = (
                one["x"] + one["w"] <= other["x"]
                or other["x"] + other["w"] <= one["x"]
                or one["y"] + one["h"] <= other["y"]
                or other["y"] + other["h"] <= one["y"]
            )
            assert apart, (one, other)


def test_promtool_accepts_the_rules() -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("no promtool: apt-get install prometheus")
    for words in (["rules", "alerts.yml"], ["config", "--syntax-only", "prometheus.yml"]):
        told = subprocess.run(
            [promtool, "check", *words], cwd=DEPLOY / "prometheus", capture_output=True, text=True, check=False
        )
        assert told.returncode == 0, told.stdout + told.stderr
