"""An open folder of a file store: every step from the root down refuses symbolic links."""

import errno
import os
import stat
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class RootGone(OSError):
    """Where the root folder was, there is something else: a lost mount, a file, a link. No key is to blame."""


class Folder:
    """A directory held by its descriptor, so that nobody can swap a link into the path between check and use.

    All methods raise `OSError`; ``ELOOP`` stands for a symbolic link on the way.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    @classmethod
    def open(cls, root: Path, parts: Sequence[str], *, create: bool = False) -> Self:
        """The folder ``parts`` below ``root``; with ``create``, made durably where it is missing."""
        try:
            if create:
                root.mkdir(parents=True, exist_ok=True)
            folder = cls(os.open(root, _FOLDER))
        except (NotADirectoryError, FileExistsError) as error:
            raise RootGone(f"{root} is no folder") from error
        try:
            for part in parts:
                below = folder._below(part, create=create)
                folder.close()
                folder = below
        except BaseException:
            folder.close()
            raise
        return folder

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        os.close(self._descriptor)

    def names(self) -> list[str]:
        """Names of what lies here that is Unicode text, folders with a slash behind, as their keys sort.

        With the slash "a.b" comes before "a/b", as in a listing by key.
        """
        names: list[str] = []
        with os.scandir(self._descriptor) as entries:
            for entry in entries:
                if not any("\ud800" <= character <= "\udfff" for character in entry.name):
                    names.append(entry.name + "/" * entry.is_dir(follow_symlinks=False))
        return sorted(names, key=str.encode)

    def stat(self, name: str) -> os.stat_result:
        return os.stat(name, dir_fd=self._descriptor, follow_symlinks=False)

    def file(self, name: str) -> BinaryIO:
        """A regular file to read; to anything else the answer is that nothing is there."""
        # O_NONBLOCK: opening a pipe that somebody put there must not hang.
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
        descriptor = os.open(name, flags, dir_fd=self._descriptor)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise FileNotFoundError(errno.ENOENT, "not a file", name)
        return os.fdopen(descriptor, "rb")

    def new_file(self, name: str) -> BinaryIO:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        return os.fdopen(os.open(name, flags, 0o644, dir_fd=self._descriptor), "wb")

    def rename(self, name: str, folder: "Folder", new_name: str) -> None:
        os.rename(name, new_name, src_dir_fd=self._descriptor, dst_dir_fd=folder._descriptor)

    def unlink(self, name: str) -> None:
        os.unlink(name, dir_fd=self._descriptor)

    def remove_empty(self, name: str) -> bool:
        """Whether the folder ``name`` was empty and is gone now."""
        try:
            os.rmdir(name, dir_fd=self._descriptor)
        except OSError as error:
            if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
                return False
            raise
        return True

    def sync(self) -> None:
        """Until then a name made or removed here may be forgotten by a power cut."""
        os.fsync(self._descriptor)

    def _below(self, part: str, *, create: bool) -> Self:
        try:
            return type(self)(os.open(part, _FOLDER, dir_fd=self._descriptor))
        except FileNotFoundError:
            if not create:
                raise
            try:
                os.mkdir(part, dir_fd=self._descriptor)
                self.sync()
            except FileExistsError:
                pass  # another writer was quicker
            return type(self)(os.open(part, _FOLDER, dir_fd=self._descriptor))
        except NotADirectoryError:
            # Linux gives a link the same answer as a file.
            if stat.S_ISLNK(self.stat(part).st_mode):
                raise OSError(errno.ELOOP, "a symbolic link", part) from None
            if not create:
                raise FileNotFoundError(errno.ENOENT, "nothing lies below a file", part) from None
            raise
