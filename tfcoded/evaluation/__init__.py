"""Measuring a model as the papers do."""
