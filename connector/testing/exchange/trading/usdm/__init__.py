"""USD-M futures: positions, reports and methods."""
