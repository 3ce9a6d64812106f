"""Spot: wallets, reports and methods."""
