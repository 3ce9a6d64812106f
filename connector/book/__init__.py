"""Local order books without I/O: levels, the state machine, and the rules of each exchange.

>>> book = Book(BINANCE_SPOT)
>>> book.delta(first)          # IDLE -> GAP: now it wants a snapshot
>>> book.asked()               # GAP -> BUFFERING: deltas are kept
>>> book.fetched(snapshot)     # BUFFERING -> LIVE, if a kept delta covers it
"""

from connector.book.crossing import Crossing
from connector.book.levels import Asks, Bids, BookSide, DigitLevel, Extent
from connector.book.machine import Book, BookStatistics, Outcome
from connector.book.renewal import RenewedBook
from connector.book.rules import BookRules
from connector.book.sequence import MessageSequence
from connector.book.state import TABLE, Input, State

__all__ = [
    "TABLE",
    "Asks",
    "Bids",
    "Book",
    "BookRules",
    "BookSide",
    "BookStatistics",
    "Crossing",
    "DigitLevel",
    "Extent",
    "Input",
    "MessageSequence",
    "Outcome",
    "RenewedBook",
    "State",
]
