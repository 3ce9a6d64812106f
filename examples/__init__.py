"""Applications that embed the connector, each with its tests."""
