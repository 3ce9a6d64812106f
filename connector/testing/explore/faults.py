"""The faults that the explorer can apply to a program at a step, as a table.

A fault of the next attempt (`refuse`, `http_429` …) also breaks the open connection, so that it
has an effect at every step.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import MappingProxyType
from typing import TYPE_CHECKING

from connector.testing.explore.step_fault import StepFault
from connector.testing.explore.trading_faults import TRADING_FAULTS
from connector.testing.faults.faults import Fault, FaultKind

if TYPE_CHECKING:
    from connector.testing.explore.stage import Stage

STALL_SECONDS = 1.0
CLOCK_JUMP_SECONDS = 7200.0


def _cancel(stage: Stage) -> None:
    stage.scope.cancel()


def _leave(stage: Stage) -> None:
    stage.leave()


def _interrupt(_: Stage) -> None:
    # As a real signal: trio's handler finds the scheduler running and interrupts the main task.
    signal.raise_signal(signal.SIGINT)


def _consumer(stage: Stage) -> None:
    stage.arm_consumer()


def _eof(stage: Stage) -> None:
    for connection in stage.network.connections:
        connection.eof()


def _reset(stage: Stage) -> None:
    for connection in stage.network.connections:
        connection.reset()


def _half_open(stage: Stage) -> None:
    # The exchange learns of it and counts correctly, unless the handshake is still in progress.
    stage.exchange.break_connections("half_open")
    for connection in stage.network.connections:
        connection.half_open()


def _stall(stage: Stage) -> None:
    stage.stall(STALL_SECONDS)


def _trickle(stage: Stage) -> None:
    stage.network.trickle()


def _squeeze(stage: Stage) -> None:
    stage.network.squeeze()


def _jump(seconds: float) -> Callable[[Stage], None]:
    def jump(stage: Stage) -> None:
        stage.wall.jump(seconds)

    return jump


def _broken(fault: Fault | FaultKind, *, loud: bool = False, silent: bool = False) -> StepFault:
    def strike(stage: Stage) -> None:
        stage.exchange.break_connections(fault)

    return StepFault(strike, needs_connection=True, needs_handshake=True, loud=loud, silent=silent)


def _next_attempt(fault: Fault) -> Callable[[Stage], None]:
    def strike(stage: Stage) -> None:
        stage.exchange.inject(fault)
        _reset(stage)

    return strike


def _next_dial(kind: str) -> Callable[[Stage], None]:
    def strike(stage: Stage) -> None:
        stage.network.fail_dials(kind, times=1)  # type: ignore[arg-type]
        _reset(stage)

    return strike


STEP_FAULTS: MappingProxyType[str, StepFault] = MappingProxyType(
    {
        # faults of the program's environment
        "cancel": StepFault(_cancel, ends=True),
        "interrupt": StepFault(_interrupt, ends=True),
        "leave": StepFault(_leave, ends=True),
        "consumer": StepFault(_consumer, ends=True),
        "clock_forward": StepFault(_jump(CLOCK_JUMP_SECONDS)),
        "clock_back": StepFault(_jump(-CLOCK_JUMP_SECONDS)),
        # faults of the network
        "eof": StepFault(_eof, needs_connection=True, loud=True),
        "reset": StepFault(_reset, needs_connection=True, loud=True),
        "half_open": StepFault(_half_open, needs_connection=True, silent=True),
        "stall": StepFault(_stall, needs_connection=True),
        "trickle": StepFault(_trickle, slow=True),
        "squeeze": StepFault(_squeeze, slow=True),
        # faults that the exchange inflicts on the connection
        "close": _broken(Fault("close", code=1000), loud=True),
        "close_error": _broken(Fault("close", code=1011), loud=True),
        "close_and_hold": _broken("close_and_hold", loud=True),
        "mute": _broken("mute", silent=True),
        "no_ack": _broken("no_ack", silent=True),
        "bad_frame": _broken("bad_opcode", loud=True),
        "bad_mask": _broken("bad_mask", loud=True),
        "bad_utf8": _broken("bad_utf8", loud=True),
        "bad_json": _broken("truncated_json"),
        "shutdown": _broken("server_shutdown"),
        # faults that the exchange inflicts on the next attempt
        "refuse": StepFault(_next_attempt(Fault("refuse", times=1))),
        "unknown_host": StepFault(_next_dial("dns")),
        "dial_hang": StepFault(_next_dial("hang"), silent=True),
        "accept_close": StepFault(_next_attempt(Fault("accept_close", times=1))),
        "accept_reset": StepFault(_next_attempt(Fault("accept_reset", times=1))),
        "handshake_hang": StepFault(_next_attempt(Fault("handshake_hang", times=1)), silent=True),
        "tls_break": StepFault(_next_attempt(Fault("tls_break", times=1))),
        "http_429": StepFault(
            _next_attempt(Fault("http_status", times=1, status=429, retry_after=1.0))
        ),
        "http_503": StepFault(_next_attempt(Fault("http_status", times=1, status=503))),
    }
)
"""Fault by name."""

ALL_FAULTS: MappingProxyType[str, StepFault] = MappingProxyType({**STEP_FAULTS, **TRADING_FAULTS})
"""`STEP_FAULTS` and the faults of accounts (`connector.testing.explore.trading_faults`)."""

OPERATION_FAULTS = ("fail", "hang")
"""What an operation at the transport boundary does when it fails: raise, or never return."""

CORE = ("cancel", "interrupt", "leave", "reset", "half_open", "refuse")
"""A small set of faults that reaches every state of a connection and every way to leave it."""


def check_fault(name: str, *, of_operation: bool = False) -> None:
    """Raise `ValueError` if there is no fault called `name`."""
    known = OPERATION_FAULTS if of_operation else tuple(ALL_FAULTS)
    if name not in known:
        raise ValueError(f"unknown fault {name!r}; the faults are {', '.join(known)}")
