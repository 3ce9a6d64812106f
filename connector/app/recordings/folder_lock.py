"""Lock a folder for one recorder; the system releases the lock when the process ends."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path

from connector.recording import RecordingFailed


class FolderLock:
    """The lock on a folder, from `take` to `release`. It leaves no file."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._descriptor: int | None = None

    def take(self) -> None:
        """Take it, unless this one has it.

        Raises:
            RecordingFailed: another recorder has it.
            OSError: there is no such folder.
        """
        if self._descriptor is not None:
            return
        descriptor = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
                os.close(descriptor)
                raise RecordingFailed(
                    f"another recorder is writing to {self._folder}; "
                    "stop it, or choose another folder"
                ) from error
            # A file system without locks, such as some on the network: then it is not watched.
        self._descriptor = descriptor

    def holds(self) -> bool:
        """Whether it holds the lock of the current folder, not of a removed one."""
        if self._descriptor is None:
            return False
        try:
            there = self._folder.stat()
        except OSError:
            return False
        return os.path.samestat(there, os.fstat(self._descriptor))

    def release(self) -> None:
        """Give it back."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)
