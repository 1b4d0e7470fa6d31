"""Checks of where and when a specimen was collected: countries, provinces, coordinates, borders, dates."""
