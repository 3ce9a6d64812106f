"""How fast the connector is, beside other clients, on one machine in one run."""
