"""The command line, ``farm``: a thin client of the farm in ``FARM_HOME``. It imports neither Ray nor Blender."""


def main() -> None:
    """The entry point; what a command does not need is not imported."""
    from farm.cli.app import run

    run()
