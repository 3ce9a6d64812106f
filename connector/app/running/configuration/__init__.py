"""The configuration of ``connector run``: one TOML file, read into one frozen value."""

from connector.app.running.configuration.configuration import (
    Misconfigured,
    read_configuration,
    split_address,
)
from connector.app.running.configuration.plans import (
    AccountPlan,
    AdapterPlan,
    Configuration,
    GroupPlan,
    SinkPlan,
)
from connector.app.running.configuration.reading import Mistake
from connector.app.running.configuration.tables import LogTable, MetricsTable, RunTable

__all__ = [
    "AccountPlan",
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
