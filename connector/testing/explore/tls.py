"""Certificates for scenarios with TLS; made once per process, by `trustme`."""

from __future__ import annotations

import ssl
from functools import cache

import attrs


@attrs.frozen
class Contexts:
    """TLS settings of both sides; the client trusts only this server."""

    client: ssl.SSLContext
    server: ssl.SSLContext


@cache
def contexts() -> Contexts:
    """Make settings for a server at 127.0.0.1.

    Raises:
        ImportError: `trustme` is not installed.
    """
    import trustme  # noqa: PLC0415  # only scenarios with TLS need it

    authority = trustme.CA()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(server)
    client = ssl.create_default_context()
    authority.configure_trust(client)
    return Contexts(client, server)
