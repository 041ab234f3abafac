"""Several nodes' metrics become one document that Prometheus can read."""

from serve_app.metrics import merged

ONE = """# HELP farm_jobs Jobs by status.
# TYPE farm_jobs gauge
farm_jobs{status="pending",node="a"} 3.0
# HELP farm_view_seconds How long views take.
# TYPE farm_view_seconds histogram
farm_view_seconds_bucket{le="1.0",node="a"} 2.0
farm_view_seconds_sum{node="a"} 1.5
farm_view_seconds_count{node="a"} 2.0
bare_counter 7
"""


def test_each_family_is_described_once_with_the_samples_of_all_nodes() -> None:
    found = merged([ONE, ONE.replace('"a"', '"b"')]).splitlines()
    assert found.count("# TYPE farm_jobs gauge") == found.count("# HELP farm_view_seconds How long views take.") == 1
    start = found.index("# TYPE farm_jobs gauge")
    assert found[start + 1 : start + 3] == [
        'farm_jobs{status="pending",node="a"} 3.0', 'farm_jobs{status="pending",node="b"} 3.0'
    ]  # fmt: skip
    histogram = found[found.index("# TYPE farm_view_seconds histogram") + 1 :][:6]
    assert all(line.startswith("farm_view_seconds_") for line in histogram)
    assert sum(line.startswith("bare_counter") for line in found) == 1


def test_one_document_is_as_it_was_and_none_is_empty() -> None:
    assert merged([ONE]) == ONE
    assert merged([]).strip() == ""
