"""One cancel request: sent before other requests, with the exchange's answer to it."""

from __future__ import annotations

from typing import Literal, TypeAlias

from connector.account.account_state import Office
from connector.account.order_requests import CANCEL, Job
from connector.exchanges.protocol import UNDECODABLE
from connector.trading.order_record import OrderRecord
from connector.trading.reports import OrderReport

Outcome: TypeAlias = Literal["done", "absent", "time", "wait", "unknown"]


async def send_cancel(office: Office, record: OrderRecord) -> Job:
    """Cancel by client id, first in line, and wait for the outcome.

    Cancellation: it may have been sent.
    """
    assert office.link is not None
    job = Job(office.trading.cancel(record.symbol, record.client_id), CANCEL)
    office.link.put(job)
    try:
        await job.wait()
    finally:
        office.link.withdraw(job, "no caller waits for it any more")
    return job


def outcome_of(office: Office, job: Job) -> tuple[Outcome, OrderReport | None, float]:
    """The exchange's answer to a cancel, and the wait before the next one."""
    answer = job.answer
    if answer is None:
        return "unknown", None, 0.0
    if answer.refusal is None:
        try:
            report: OrderReport = job.request.decode(answer.payload)
        except UNDECODABLE:
            return "unknown", None, 0.0
        return "done", report, 0.0
    verdict = office.trading.verdict(answer.refusal)
    match verdict.meaning:
        case "absent":
            return "absent", None, 0.0
        case "time":
            return "time", None, 0.0
        case "limit" | "banned" | "busy":
            return "wait", None, office.wait_of(answer.refusal) or 0.5
        case _:
            return "unknown", None, 0.0
