"""Folders of one user alone, in places where everybody may make them first."""

import errno
import os
import stat
from contextlib import suppress
from pathlib import Path


def private_folder(folder: Path) -> Path:
    """Make ``folder`` for this user alone; its parent must be there.

    Raises:
        PermissionError: when it cannot be made, or somebody else made it first, or others may enter it.
        OSError: when there is no space for it.
    """
    with suppress(FileExistsError):  # whatever it is, it is looked at next
        folder.mkdir(mode=0o700)
    if not is_private(folder):
        reason = "it must be a folder that belongs to this user and is closed to all others; remove it"
        raise PermissionError(errno.EACCES, reason, str(folder))
    return folder


def is_private(folder: Path) -> bool:
    """Whether it is a real folder, this user's, and no other may enter it; ``False`` when it is not there."""
    try:
        found = folder.lstat()
    except FileNotFoundError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o077
