"""Requests of a public connection and their replies.

Source: bybit §2, §3.
"""

from __future__ import annotations

from typing import Any

import msgspec

from connector.testing.kits.kit import Dialect, Ears

SPOT_ARGS = 10
CONNECTION_ARG_CHARACTERS = 21_000


class BybitDialect(Dialect):
    """How Bybit speaks on one connection.

    Args:
        ears: the connection.
        category: "spot", "linear" or "inverse".
    """

    def __init__(self, ears: Ears, category: str) -> None:
        self._ears = ears
        self._spot = category == "spot"
        self._connection = f"00000000-0000-4000-8000-{ears.number:012x}"

    def hear(self, text: bytes) -> list[bytes]:
        """Carry out a request, and answer it."""
        try:
            said = msgspec.json.decode(text)
        except msgspec.DecodeError as error:
            return [self._reply("", "", f"Failed to decode incoming data:{error}", success=False)]
        if not isinstance(said, dict):
            return [self._reply("", "", "Failed to decode incoming data:no object", success=False)]
        request_id, op = str(said.get("req_id", "")), said.get("op")
        if op == "ping":
            return [self._reply("" if self._spot else request_id, "ping", "pong")]
        if op not in ("subscribe", "unsubscribe"):
            return [self._reply(request_id, str(op), "error:invalid op", success=False)]
        wrong = self._carry_out(op, said.get("args"))
        if wrong is not None:
            return [self._reply(request_id, op, wrong, success=False)]
        return [self._reply(request_id, op, op if self._spot else "")]

    def _carry_out(self, op: str, topics: Any) -> str | None:
        """The reason to refuse the whole request; None to accept it."""
        if not isinstance(topics, list) or not all(isinstance(each, str) for each in topics):
            return "error:invalid args"
        if self._spot and len(topics) > SPOT_ARGS:
            return f"args size >{SPOT_ARGS}"
        if op == "unsubscribe":
            for topic in topics:
                self._ears.unsubscribe(topic)
            return None
        held = list(self._ears.subscriptions)
        for topic in topics:
            fault = self._ears.refusal(topic)
            if fault is not None or not self._ears.knows(topic, topic.rpartition(".")[2]):
                words = fault.message if fault is not None and fault.message else None
                return f"{words or 'error:handler not found'},topic:{topic}"
            if topic in held:
                return f"error:already subscribed,topic:{topic}"
            held.append(topic)
        if sum(map(len, held)) > CONNECTION_ARG_CHARACTERS:
            return "error:args too long"  # the words are assumed
        for topic in topics:
            self._ears.subscribe(topic)
        return None

    def _reply(self, request_id: str, op: str, message: str, *, success: bool = True) -> bytes:
        said: dict[str, object] = {
            "success": success, "ret_msg": message, "conn_id": self._connection,
        }  # fmt: skip
        if request_id or not success:
            said["req_id"] = request_id
        return msgspec.json.encode({**said, "op": op})
