"""What an exchange means by a refusal, as a table of codes and words, and how it writes errors.

A venue gives the tables: the codes and words that mean "not now" or "you already are". Everything
else means "never".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, Literal, TypeAlias, TypeVar

import attrs
import msgspec

from connector.exchanges.inbound import Reply, Unknown

Code: TypeAlias = int | str
_S = TypeVar("_S")

UNDECODABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""The errors of decoding: msgspec's own, text that is not UTF-8, nesting that is too deep. Catching
all three costs nothing; translating them would cost one call per message."""
NO_REASON = "(no reason given)"
_LONGEST_PAGE_BYTES = 200
_ANYTHING = msgspec.json.Decoder()


@attrs.frozen(kw_only=True)
class Refusals:
    """The meanings of an exchange's refusals of streams."""

    later: frozenset[str] = frozenset()
    """Codes, as text, or whole messages that mean: not now. Such a refusal names no stream."""
    later_words: tuple[str, ...] = ()
    """Words, in lower case, of a message that means: not now."""
    already_words: tuple[str, ...] = ()
    """Words, in lower case, of a message that means: this stream is already subscribed."""

    def meaning(self, code: Code | None, message: str) -> Literal["never", "later", "already"]:
        """The meaning of a code and its message."""
        if str(code) in self.later or message in self.later:
            return "later"
        words = message.lower()
        if any(each in words for each in self.already_words):
            return "already"
        return "later" if any(each in words for each in self.later_words) else "never"

    def reply(
        self,
        request_id: int | None,
        code: Code | None,
        message: str,
        streams: tuple[str, ...] | None = None,
        *,
        others: Literal["wait", "again"] = "wait",
    ) -> Reply:
        """The refusal of a request, or of the streams that it names."""
        meaning = self.meaning(code, message)
        if meaning == "later":
            streams = None
        if meaning == "already" and streams is None and others == "again":
            meaning = "never"  # nothing of the request was subscribed, and all of it is in doubt
        return Reply(
            request_id,
            code,
            message or NO_REASON,
            streams=streams,
            others="wait" if streams is None else others,
            refusal=meaning,
        )


@attrs.frozen(kw_only=True)
class ErrorBodies(Generic[_S]):
    """How an exchange writes errors in the bodies of its REST replies."""

    form: type[_S]
    """The fields of a reply that tell of an error, as a `msgspec.Struct`."""
    told: Callable[[_S], tuple[Code | None, str]]
    """Reads the code and the text from them; without either, there is no error."""
    success: frozenset[Code] = frozenset()
    """Codes that mean that nothing is wrong."""
    _decode: Callable[[bytes], _S] = attrs.field(init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "_decode", msgspec.json.Decoder(self.form).decode)

    def read(self, body: bytes) -> tuple[Code | None, str]:
        """The code and the text of an error; the code is None for a body of another form."""
        try:
            code, text = self.told(self._decode(body))
        except UNDECODABLE:
            code, text = None, ""
        if code is None and not text:
            text = body[:_LONGEST_PAGE_BYTES].decode("utf-8", "backslashreplace")
        return code, text or NO_REASON

    def refuses(self, body: bytes) -> bool:
        """Whether a body with status 200 is an error."""
        code = self.read(body)[0]
        return code is not None and code not in self.success


def not_an_object(frame: bytes) -> Unknown:
    """A frame that is not a JSON object, which no exchange documents.

    Raises:
        connector.exchanges.protocol.UNDECODABLE: it is not JSON at all.
    """
    value: Any = _ANYTHING.decode(frame)
    return Unknown(type(value).__name__)
