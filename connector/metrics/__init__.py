"""Metrics for Prometheus: the values of `Adapter.statistics`, read at each scrape.

.. code-block:: python

    registry = CollectorRegistry()
    async with open_adapter(exchange) as adapter:
        with instrument(adapter, registry):
            ...

It only reads counters that exist anyway, so it costs nothing per message. It needs the extra
``metrics``.
"""

from connector.metrics.collecting import DELIVERY, FAMILIES, delivery_of, instrument, sums_of
from connector.metrics.family import Family

__all__ = ["DELIVERY", "FAMILIES", "Family", "delivery_of", "instrument", "sums_of"]
