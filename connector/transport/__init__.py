"""Bytes in, messages out: dialling, TLS, the tap under trio-websocket, and compression.

`open_connection` is the only door: it opens a connection for the length of a block and closes
its socket when the block ends, on every path. Nothing else in the library opens sockets.
"""

from connector.transport.connection import Connection, Ended
from connector.transport.deflate import CompressionRefused
from connector.transport.dial import Dialer, TcpDialer, is_open
from connector.transport.opening import open_connection
from connector.transport.tap import Sink

__all__ = [
    "CompressionRefused",
    "Connection",
    "Dialer",
    "Ended",
    "Sink",
    "TcpDialer",
    "is_open",
    "open_connection",
]
