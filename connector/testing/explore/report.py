"""The results of a sweep as numbers."""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from connector.testing.explore.result import Finding, Result

KEPT_FINDINGS = 20
"""How many findings with the same invariant and scenario are kept in full."""


@attrs.define
class Tally:
    """Counts of one scenario."""

    runs: int = 0
    steps: int = 0
    """Steps of the program, summed over all runs."""
    most_steps: int = 0
    faults: int = 0
    """Faults that struck."""
    findings: int = 0
    cpu_seconds: float = 0.0
    names: set[str] = attrs.field(factory=set)
    """Names of the faults that struck."""

    def add(self, result: Result) -> None:
        """Count one run."""
        self.runs += 1
        self.steps += result.steps
        self.most_steps = max(self.most_steps, result.steps)
        self.faults += result.struck
        self.findings += bool(result.findings)
        self.names.update(result.case.plan.faults)

    def merge(self, other: Tally) -> None:
        """Add the counts of another tally."""
        self.runs += other.runs
        self.steps += other.steps
        self.most_steps = max(self.most_steps, other.most_steps)
        self.faults += other.faults
        self.findings += other.findings
        self.cpu_seconds += other.cpu_seconds
        self.names |= other.names


@attrs.define
class Report:
    """The results of a whole sweep."""

    tallies: dict[str, Tally] = attrs.field(factory=dict)
    """By scenario."""
    findings: list[Finding] = attrs.field(factory=list)
    seconds: float = 0.0
    """Duration of the sweep in real time."""

    def tally(self, scenario: str) -> Tally:
        """The counts of a scenario."""
        return self.tallies.setdefault(scenario, Tally())

    def add(self, result: Result) -> None:
        """Count one run, and keep its findings."""
        self.tally(result.case.scenario).add(result)
        self.keep(result.findings)

    def keep(self, findings: Iterable[Finding]) -> None:
        """Keep these findings, at most `KEPT_FINDINGS` of a kind."""
        for finding in findings:
            alike = sum(
                each.invariant == finding.invariant and each.case.scenario == finding.case.scenario
                for each in self.findings
            )
            if alike < KEPT_FINDINGS:
                self.findings.append(finding)

    @property
    def runs(self) -> int:
        """The number of runs."""
        return sum(tally.runs for tally in self.tallies.values())

    @property
    def invariants(self) -> frozenset[str]:
        """The broken invariants."""
        return frozenset(finding.invariant for finding in self.findings)

    def __str__(self) -> str:
        rows: list[tuple[str, ...]] = [
            ("scenario", "runs", "steps", "faults", "kinds", "runs/s per core", "findings")
        ]
        total = Tally()
        for name, tally in self.tallies.items():
            rows.append(_row(name, tally))
            total.merge(tally)
        rows.append(_row("all", total))
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = [
            "  ".join(
                cell.ljust(width) if column == 0 else cell.rjust(width)
                for column, (cell, width) in enumerate(zip(row, widths, strict=True))
            ).rstrip()
            for row in rows
        ]
        if self.seconds:
            lines.append(f"{total.runs:,} runs in {self.seconds:.0f} s")
        lines += ["", *map(str, self.findings)] if self.findings else []
        return "\n".join(lines)


def _row(name: str, tally: Tally) -> tuple[str, ...]:
    pace = f"{tally.runs / tally.cpu_seconds:,.0f}" if tally.cpu_seconds else ""
    return (
        name, f"{tally.runs:,}", f"{tally.steps:,}", f"{tally.faults:,}", str(len(tally.names)),
        pace, f"{tally.findings:,}",
    )  # fmt: skip
