"""All statistics values: the results of `statistics()` of adapters, feeds and merged feeds.

Each is defined in the room that counts it.
"""

from connector.account.statistics import (
    AccountStatistics,
    PrivateLinkStatistics,
    QuoteStatistics,
)
from connector.adapter.statistics import AdapterStatistics
from connector.book import BookStatistics
from connector.feeds.delivery_delay import DelayStatistics
from connector.feeds.feed import FeedStatistics
from connector.feeds.subscription import StreamStatistics
from connector.link.link_statistics import LinkStatistics
from connector.link.request_trouble import RestStatistics
from connector.merging.arbitration import SideStatistics
from connector.merging.merge import MergeStatistics

__all__ = [
    "AccountStatistics",
    "AdapterStatistics",
    "BookStatistics",
    "DelayStatistics",
    "FeedStatistics",
    "LinkStatistics",
    "MergeStatistics",
    "PrivateLinkStatistics",
    "QuoteStatistics",
    "RestStatistics",
    "SideStatistics",
    "StreamStatistics",
]
