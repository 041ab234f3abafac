"""A folder of files that grows no larger than it may: the least recently used go."""

from pathlib import Path


def make_room(folder: Path, wanted_bytes: int, max_bytes: int) -> None:
    """Remove the files that were used least recently until as many more bytes fit.

    Whoever uses a file touches it (`os.utime`). Files that somebody else removes meanwhile are no error.

    Raises:
        OSError: as the folder met it.
    """
    files = []
    for path in folder.iterdir():
        try:
            files.append((path, path.stat()))
        except FileNotFoundError:
            continue
    total_bytes = sum(facts.st_size for _, facts in files) + wanted_bytes
    for path, facts in sorted(files, key=lambda row: row[1].st_mtime_ns):
        if total_bytes <= max_bytes:
            return
        path.unlink(missing_ok=True)
        total_bytes -= facts.st_size
