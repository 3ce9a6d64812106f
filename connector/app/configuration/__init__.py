"""What ``connector run`` is told: one TOML file, read into one frozen value."""

from connector.app.configuration.configuration import (
    AdapterPlan,
    Configuration,
    GroupPlan,
    Misconfigured,
    SinkPlan,
    read_configuration,
    split_address,
)
from connector.app.configuration.reading import Mistake
from connector.app.configuration.tables import LogTable, MetricsTable, RunTable

__all__ = [
    "AdapterPlan",
    "Configuration",
    "GroupPlan",
    "LogTable",
    "MetricsTable",
    "Misconfigured",
    "Mistake",
    "RunTable",
    "SinkPlan",
    "read_configuration",
    "split_address",
]
