"""Prometheus' text format, of several sources in one document. Pure.

Lines are moved and never parsed: prometheus_client's parser makes the same bytes of them and takes forty times as long,
which a replica that answers requests has not got (docs/adr/0039-what-stays-by-hand.md).
"""

from collections.abc import Iterable

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def merged(texts: Iterable[str]) -> str:
    """One exposition of several: each family's description once, and all its samples behind it.

    The samples of different nodes differ in their labels; of equal ones the first counts.
    """
    heads: dict[str, dict[str, str]] = {}
    samples: dict[str, dict[str, str]] = {}
    for text in texts:
        family = ""
        for line in text.splitlines():
            if line.startswith(("# HELP ", "# TYPE ")):
                _, kind, family, *_ = line.split(" ", 3)
                heads.setdefault(family, {}).setdefault(kind, line)
                samples.setdefault(family, {})
            elif line and not line.startswith("#"):
                name = line.partition("{")[0].partition(" ")[0]
                # A sample belongs to the family before it, whose name begins its own: x_bucket, x_sum and x_count to x.
                owner = family if family and name.startswith(family) else name
                series = line.rpartition("}")[0] or name
                samples.setdefault(owner, {}).setdefault(series, line)
    lines: list[str] = []
    for family, found in samples.items():
        head = heads.get(family, {})
        lines += [head[kind] for kind in ("HELP", "TYPE") if kind in head]
        lines += found.values()
    return "\n".join(lines) + "\n"
