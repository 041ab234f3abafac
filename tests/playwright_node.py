"""The Node.js that Playwright brings along: the only use of a private module of it (seen in 1.65)."""

from playwright._impl._driver import compute_driver_executable


def node_js() -> str:
    """The program's path."""
    return str(compute_driver_executable()[0])
