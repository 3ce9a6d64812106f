"""Ctrl-C during an import ends the program, wherever it arrives."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from connector.app.interruption import INTERRUPTED, leave_on_interrupt

IN_A_CALLBACK = """
import signal, weakref
from connector.app.interruption import leave_on_interrupt

class Lock: ...

lock = Lock()
reference = weakref.ref(lock, lambda _: signal.raise_signal(signal.SIGINT))
with leave_on_interrupt():
    del lock
print("Ctrl-C was lost")
"""
"""As `importlib` does with the lock of each module."""


def test_ctrl_c_in_a_callback_of_the_interpreter_is_not_lost() -> None:
    done = subprocess.run(
        [sys.executable, "-c", IN_A_CALLBACK], capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stdout, done.stderr) == (INTERRUPTED, "", "")


@pytest.mark.parametrize("disposition", [signal.SIG_IGN, signal.default_int_handler])
def test_what_sigint_did_before_it_does_again(disposition: signal.Handlers) -> None:
    before = signal.signal(signal.SIGINT, disposition)
    try:
        with leave_on_interrupt():
            inside = signal.getsignal(signal.SIGINT)
        after = signal.getsignal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)

    assert after is disposition
    assert (inside is disposition) == (disposition is signal.SIG_IGN)
