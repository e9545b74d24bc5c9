"""Images of a known law, and draws without content: `tfcoded.data.synthetic`."""

from tfcoded.data.registry import NORMAL, register


def _load(name):
    def load(data_dir):
        del data_dir  # nothing is read
        from tfcoded.data import synthetic

        return synthetic.load(name)

    return load


register(
    "synthetic",
    _load("synthetic"),
    (32, 32, 3),
    licence="Drawn by `tfcoded.data.synthetic`, of a known law.",
    drawn=True,
)
register(NORMAL, _load(NORMAL), (0,), drawn=True)
