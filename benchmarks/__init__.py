"""Measurements of speed, each command printing ratios measured in one run, and the agreement with the published code."""

import tfcoded  # noqa: F401  # pylint: disable=unused-import  # prepares the process of a command
