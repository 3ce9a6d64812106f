"""Metrics for Prometheus: the values of `Adapter.statistics`, read at each scrape.

.. code-block:: python

    registry = CollectorRegistry()
    async with open_adapter(exchange) as adapter:
        with instrument(adapter, registry):
            ...

Nothing is counted for it that is not counted anyway, so that it costs a message nothing. Needs the
extra ``metrics``.
"""

from connector.metrics.collecting import DELIVERY, FAMILIES, delivery_of, instrument, sums_of
from connector.metrics.family import Family

__all__ = ["DELIVERY", "FAMILIES", "Family", "delivery_of", "instrument", "sums_of"]
