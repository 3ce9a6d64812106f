"""The network settings of an adapter: a proxy, a source address, pinned addresses."""

from __future__ import annotations

import re
from collections.abc import Mapping

import attrs

from connector.app.secret import Secret
from connector.errors import ConfigError
from connector.transport import Dialer, TcpDialer, dialer_from_environment, proxy_dialer

ENVIRONMENT = "environment"
_CREDENTIALS = re.compile(r"//[^/@]*@")


@attrs.frozen
class Way:
    """The proxy, certificates and addresses of connections, as written in the file."""

    proxy: str | Secret | None = None
    ca_file: str | None = None
    source_address: str | None = None
    addresses: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def dialer(self) -> Dialer:
        """What opens the connections. A secret is read now, and kept by the dialer alone.

        Raises:
            ConfigError: something in it cannot work; no credentials are repeated.
        """
        tcp = TcpDialer(
            ca_file=self.ca_file,
            source_address=self.source_address,
            addresses=dict(self.addresses),
        )
        if self.proxy is None:
            return tcp
        if self.proxy == ENVIRONMENT:
            return dialer_from_environment(tcp=tcp)
        url = self.proxy if isinstance(self.proxy, str) else self.proxy.reveal()
        return proxy_dialer(url, tcp=tcp)


def check_tcp(
    ca_file: str | None, source_address: str | None, addresses: Mapping[str, tuple[str, ...]]
) -> None:
    """See that these can work.

    Raises:
        ConfigError: one cannot.
    """
    TcpDialer(ca_file=ca_file, source_address=source_address, addresses=addresses)


def check_proxy(proxy: str | Secret) -> None:
    """See that `proxy` can stand in a file.

    Raises:
        ConfigError: it is no URL of a proxy, or there are credentials in it.
    """
    if isinstance(proxy, str) and _CREDENTIALS.search(proxy):
        raise ConfigError(
            'the URL must not contain a user or password: write proxy = { env = "PROXY_URL" } or '
            '{ file = "…" }'
        )
    Way(proxy).dialer()
