"""Sheets of images, curves and diagrams."""

from tfcoded.pictures.charts import Line, Panel, heat_maps, panels, reliability_diagram, transmission_curves
from tfcoded.pictures.sheet import CELL, GAP, INK, LINE, MARGIN, PAPER, TEXT, sheet
from tfcoded.pictures.training_curves import compared_curves, curves, learning_curves

__all__ = [
    "CELL",
    "GAP",
    "INK",
    "LINE",
    "Line",
    "MARGIN",
    "PAPER",
    "Panel",
    "TEXT",
    "compared_curves",
    "curves",
    "heat_maps",
    "learning_curves",
    "panels",
    "reliability_diagram",
    "sheet",
    "transmission_curves",
]
