"""From bytes to messages: dialling, TLS, the tap under trio-websocket, compression, HTTP.

`open_connection` is the only entry point. It opens a connection for the duration of a block, and
closes the socket at the end of the block, whatever ended it. `tap` extracts whole text frames from
each read and leaves the rest to trio-websocket. `compiled` loads the loops that also exist in C
(`_speedups.c`). From this package it may import only `errors`.

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
