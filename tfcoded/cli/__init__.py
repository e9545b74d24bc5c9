"""What every command shares."""

from tfcoded.cli.app import run

__all__ = ["run"]
