"""What a card says of a communication system, see `export.card`."""

from tfcoded.evaluation import tables

CAPTIONS = {
    "reconstructions.png": "Test images, and below them what arrives of them.",
    "samples.png": "What is shown when no band arrives: samples of the prior.",
}
_WHAT = {
    "source_vae": "The source half of a separate system: a variational autoencoder whose code nothing disturbs",
    "channel_autoencoder": "The channel half of a separate system: a code for normal numbers over a noisy channel",
    "separate": "A source code and a channel code, each trained by itself, that send images over a noisy channel",
    "joint": "An encoder and a decoder, trained together, that send images over a noisy channel",
}
_PRIORS = {"gaussian": "N(0, 1)", "draw": "learned, recurrent over bands", "draw_spatial": "learned, on a 2x2 grid"}


def introduction(config):
    """What it is, in a sentence, `str`."""
    figures = f"; {', '.join(config.figures)} there, which prints no numbers" if config.figures else ""
    return (
        f"{_WHAT[config.system]}, after Ullrich, Viola and Rezende, [Neural Communication Systems with"
        f" Bandwidth-limited Channel](https://arxiv.org/abs/2003.13367) (2020{figures}), trained here."
    )


def number(config, metric, measurement):
    """How a measurement is written, `str`."""
    return tables.formatted(measurement)


def facts(config):
    """Rows of the table of facts, pairs of `str`."""
    channel, joint = config.channel, config.system == "joint"
    rows = []
    if config.system != "source_vae":
        rows.append(("channel", channel.fact))
    bands = f", {channel.bands} bands of {channel.symbols // channel.bands}" if channel.bands > 1 else ""
    rows.append(("symbols", f"{channel.symbols} per image{bands}"))
    if joint and not channel.bits:
        of_received = " of the symbols received" if config.prior_space == "z" else ""
        rows.append(("prior", f"{_PRIORS[config.prior]}{of_received}"))
    if joint:
        rows.append(("decoder", config.decoder.text))
    rows.append(("objective", _objective(config)))
    return rows


def use(config):
    """A program that uses the SavedModel, `str`, without its imports; `model` is what was loaded."""
    n, bands = config.channel.symbols, config.channel.bands
    if config.system == "channel_autoencoder":
        images = f"images = tf.random.normal([5, {n}])  # numbers in place of images; as many as one likes"
    else:
        shape = ", ".join(map(str, config.network.image_shape))
        images = f"images = tf.zeros([5, {shape}], tf.uint8)  # or float32 in [0, 1]; one image or more"
    some = max(1, bands - 2)
    which = f"of the first {some} of {bands} bands" if bands > 1 else "all that was sent is one band"
    return f"""{images}
sent = model.transmit(images, [1, 2])["symbols"]  # float32 [5, {n}]; [1, 2] is the seed
arrived = model.corrupt(sent, [3, 4])["symbols"]  # through the channel
pictures = model.receive(arrived, {some}, [5, 6])["images"]  # {which}
pictures = model.communicate(images, {bands}, [1, 2])["images"]  # all of this at once
rates = model.rates(images, [1, 2])  # bits per image"""


def limits(config, record):
    """What must not be expected of it, `str`s."""
    found = ["It was trained once. How much the numbers vary from seed to seed is not known."]
    found += config.channel.limits
    if config.system != "source_vae":
        found.append("No channel of another kind, and none with more or less noise, was tried.")
    if config.channel.bands > 1:
        found.append("Lost bands are replaced by random ones. An image may look right and be wrong.")
    return found


def _objective(config):
    if config.system == "channel_autoencoder":
        return "squared error of the numbers"
    if config.objective == "elbo":
        return f"squared error + {config.beta:g} times the divergences of a bound of log p(x), in nats"
    trained = ""
    if config.channel.scored:
        trained = f"; REINFORCE with a leave-one-out baseline, {config.channel.samples} samples"
    return f"squared error + {config.beta:g} times the rate in nats{trained}"
