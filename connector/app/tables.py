"""Turn recordings into tables from a program of your own: `export` writes Parquet files."""

from connector.app.recordings.parquet_tables import export

__all__ = ["export"]
