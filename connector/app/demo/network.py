"""How the demo's adapter reaches its exchange: loopback or memory, in the clear or with TLS."""

from __future__ import annotations

import ssl

import attrs
import trustme

from connector.testing import MemoryNetwork
from connector.transport import Dialer, TcpDialer


@attrs.frozen
class Wiring:
    """Both ends of the wire, and what is between them."""

    dialer: Dialer
    network: MemoryNetwork | None
    """The network in memory; None: loopback."""
    server_context: ssl.SSLContext | None
    """The exchange's certificate; None: in the clear."""

    @classmethod
    def of(cls, *, in_memory: bool, tls: bool) -> Wiring:
        """A wire in memory or on loopback; with TLS under an authority made for it alone."""
        client, server = _contexts() if tls else (None, None)
        if in_memory:
            network = MemoryNetwork(ssl_context=client)
            return cls(network, network, server)
        return cls(TcpDialer(ssl_context=client), None, server)


def _contexts() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """The client's and the server's TLS settings."""
    authority = trustme.CA(organization_name="connector demo")
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(server)
    client = ssl.create_default_context()
    authority.configure_trust(client)
    return client, server
