"""The step explorer: run a program once for every step and every fault possible at that step.

A run is a pure function of scenario, schedule and fault plan. A schedule chooses which task runs
next, time is virtual, the network is in memory, and each fault strikes at a numbered step, so
every run can be repeated exactly. After the run, the explorer checks the invariants
(`docs/design.md`) against the ledger of the network and trio's task tree. It never asks the code
under test.

    result = run(SCENARIOS["stream"], plan=Plan.at_steps({17: "reset"}))
    assert not result.findings

`run` does one run, `sweep` tries every fault at every step, and
``python -m connector.testing.explore`` sweeps in several processes and shows its progress.
"""

from __future__ import annotations

from connector.testing.explore.faults import (
    ALL_FAULTS,
    CORE,
    OPERATION_FAULTS,
    STEP_FAULTS,
)
from connector.testing.explore.numbered import Numbered, Reader
from connector.testing.explore.order_judge import OrderJudge
from connector.testing.explore.plan import Case, Plan, Trigger, parse_case, parse_plan
from connector.testing.explore.report import Report, Tally
from connector.testing.explore.result import Finding, Result
from connector.testing.explore.run import run
from connector.testing.explore.scenario import Scenario
from connector.testing.explore.schedule import Fifo, Picks, Schedule, Seeded, parse_schedule
from connector.testing.explore.stage import ConsumerFailed, Stage
from connector.testing.explore.step_fault import StepFault
from connector.testing.explore.sweep import Unit, explore, sweep, units
from connector.testing.explore.trading_faults import TRADING_FAULTS

__all__ = [
    "ALL_FAULTS",
    "CORE",
    "OPERATION_FAULTS",
    "STEP_FAULTS",
    "TRADING_FAULTS",
    "Case",
    "ConsumerFailed",
    "Fifo",
    "Finding",
    "Numbered",
    "OrderJudge",
    "Picks",
    "Plan",
    "Reader",
    "Report",
    "Result",
    "Scenario",
    "Schedule",
    "Seeded",
    "Stage",
    "StepFault",
    "Tally",
    "Trigger",
    "Unit",
    "explore",
    "parse_case",
    "parse_plan",
    "parse_schedule",
    "run",
    "sweep",
    "units",
]
