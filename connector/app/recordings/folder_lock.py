"""One recorder per folder: a lock that the system takes back when its process is gone."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path

from connector.recording import RecordingFailed

NAME = ".recorder.lock"


class FolderLock:
    """The lock of a folder, from `take` to `release`.

    The file stays, with nothing in it that matters: what counts is the lock on it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._descriptor: int | None = None

    def take(self) -> None:
        """Take it, unless this one has it.

        Raises:
            RecordingFailed: another recorder has it.
            OSError: the folder may not be written.
        """
        if self._descriptor is not None:
            return
        descriptor = os.open(self._folder / NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            who = os.pread(descriptor, 32, 0).decode(errors="replace").strip()
            os.close(descriptor)
            if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                return  # a file system without locks, such as some on the network
            raise RecordingFailed(
                f"another recorder writes to {self._folder}, in process {who or 'unknown'}; "
                "end it, or choose another folder"
            ) from error
        self._descriptor = descriptor
        try:
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        except OSError:
            pass  # on a full disk nobody learns the number

    def holds(self) -> bool:
        """Whether it has the lock of the folder that is there now: somebody may have removed it."""
        if self._descriptor is None:
            return False
        try:
            there = os.stat(self._folder / NAME)
        except OSError:
            return False
        return os.path.samestat(there, os.fstat(self._descriptor))

    def release(self) -> None:
        """Give it back."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)
