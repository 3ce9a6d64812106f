"""The interface that an exchange implements, for those who add an exchange of their own.

The definitions live beside the exchanges that implement them, in `connector.exchanges.protocol`.
"""

from connector.exchanges.protocol import (
    UNDECODABLE,
    AnyChannel,
    AnyStream,
    BookSource,
    Data,
    Envelope,
    Exchange,
    Inbound,
    Limits,
    Reply,
    RestRequest,
    RestService,
    SequenceRule,
    Shutdown,
    Stream,
    Unknown,
)

__all__ = [
    "UNDECODABLE",
    "AnyChannel",
    "AnyStream",
    "BookSource",
    "Data",
    "Envelope",
    "Exchange",
    "Inbound",
    "Limits",
    "Reply",
    "RestRequest",
    "RestService",
    "SequenceRule",
    "Shutdown",
    "Stream",
    "Unknown",
]
