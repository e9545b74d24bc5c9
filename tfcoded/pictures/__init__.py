"""Sheets of images, curves and diagrams."""

from tfcoded.pictures.charts import (
    CELL,
    GAP,
    INK,
    LINE,
    MARGIN,
    PAPER,
    TEXT,
    Line,
    Panel,
    compared_curves,
    curves,
    heat_maps,
    learning_curves,
    panels,
    reliability_diagram,
    sheet,
    transmission_curves,
)

__all__ = ["CELL", "GAP", "INK", "LINE", "Line", "MARGIN", "PAPER", "Panel", "TEXT", "compared_curves", "curves", "heat_maps", "learning_curves", "panels", "reliability_diagram", "sheet", "transmission_curves"]
