"""Bytes in, messages out: dialling, TLS, the tap under trio-websocket, compression, HTTP.

`open_connection` is the only door: it opens a connection for the length of a block, and its socket
is closed when the block is left, however it is left. `tap` lifts whole text frames out of each
read and leaves the rest to trio-websocket. `compiled` loads the loops that exist in C as well
(`_speedups.c`). It may import nothing of this package but errors.

.. code-block:: text

    socket → tcp_reading → tls → tap → websocket_frames → connection → sink of payloads
"""

from connector.transport.connection import Connection, Ended
from connector.transport.deflate import CompressionRefused
from connector.transport.dial import Dialer, TcpDialer, is_open, way_to
from connector.transport.opening import open_connection
from connector.transport.proxies import (
    HttpProxyDialer,
    Socks5Dialer,
    dialer_from_environment,
    proxy_dialer,
)
from connector.transport.sink import Sink

__all__ = [
    "CompressionRefused",
    "Connection",
    "Dialer",
    "Ended",
    "HttpProxyDialer",
    "Sink",
    "Socks5Dialer",
    "TcpDialer",
    "dialer_from_environment",
    "is_open",
    "open_connection",
    "proxy_dialer",
    "way_to",
]
