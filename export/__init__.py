"""From trained models to SavedModels that need nothing but TensorFlow: `python -m export --help`."""

import tfcoded  # noqa: F401  # pylint: disable=unused-import  # prepares the process of a command
