"""Failures that end a new adapter, but are retried once it has had data.

An adapter that never had data raises them: the URL, the key or a certificate is wrong. For an
adapter that had data they are usually temporary: a firewall before the exchange, a captive portal,
or a certificate that is being replaced. It then retries after long, growing waits.
"""

from __future__ import annotations

import ssl

from connector.errors import ExchangeUnavailable, HandshakeRejected
from connector.link.pacing import Reconnect

LASTING_STATUSES = frozenset({400, 401, 403, 404, 451})
"""All other statuses are temporary, such as a redirect to a captive portal."""
_WAITS = Reconnect(initial=5.0, cap=300.0)


def lasts(error: ExchangeUnavailable | HandshakeRejected) -> bool:
    """Whether this failure would last, so that a new adapter must not wait."""
    if isinstance(error, HandshakeRejected):
        return error.status in LASTING_STATUSES
    return isinstance(error.__cause__, ssl.SSLCertVerificationError)


def wait_seconds(times: int) -> float:
    """Seconds to wait after the `times`-th such failure in a row: 5 to 10, then up to 300."""
    return _WAITS.delay(times + 1)
