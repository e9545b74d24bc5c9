"""Communication systems, as commands see them."""

from tfcoded.families.family import Family

_SYSTEMS = {
    "source_vae": "source code alone",
    "channel_autoencoder": "channel code alone",
    "separate": "separate source and channel codes",
    "joint": "joint source-channel code",
}
_RATES = ("rate", "transmission_rate", "source_rate")


class CommunicationFamily(Family):
    """Systems that send images over a noisy channel: `tfcoded.config.communication.SystemConfig`, `tfcoded.models.System`."""

    name = "communication_system"
    noun = "a communication system"
    methods = ("transmit", "corrupt", "receive", "communicate", "rates", "configuration")
    smoke = True
    example = "model.communicate(images, 1, [1, 2])"

    def module(self, model, config, storage="float32", images=None):
        """See `Family.module`."""
        from tfcoded.codec.communication import SystemModule

        return SystemModule(model, config, storage, images)

    def describe(self, config):
        """See `Family.describe`."""
        channel = config.channel
        bands = f" in {channel.bands} bands" if channel.bands > 1 else ""
        where = "" if config.system == "source_vae" else f" over {channel.text}"
        paid = "" if config.system == "channel_autoencoder" else f", beta {config.beta:g}"
        return f"{_SYSTEMS[config.system]}, {channel.symbols} symbols{bands}{where}{paid}"

    def samples(self, codec, config, images, labels, classifier, plan):
        """See `Family.samples`."""
        from tfcoded.metrics import communication

        found = communication.communication_samples(codec, config, images, seed=plan.seed, draws=plan.draws)
        return {name: values for name, values in found.items() if name in ("mse", "rate")}

    def draw(self, codec, config, images, out, *, rows, columns, seed, reconstructions=True, words=None):
        """See `Family.draw`."""
        from tfcoded.pictures import of_models

        if config.system == "channel_autoencoder":
            return []
        bands, written = config.channel.bands, []
        if bands > 1:  # else no symbol is ever drawn from the prior
            symbols = config.channel.symbols
            written.append(of_models.prior_samples(codec, config.name, symbols, out, rows, columns, seed))
        if reconstructions:
            written.append(of_models.received(codec, config.name, images, bands, out, rows, columns, seed))
        return written

    def golden_inputs(self, codec, config, images, seed):
        """See `Family.golden_inputs`: what arrives of `images` as `symbols`, and all numbers of `bands`."""
        import numpy as np

        from tfcoded.metrics import communication

        images = communication.source(config, images, seed)
        arrived = codec.corrupt(codec.transmit(images, seed)["symbols"], seed)["symbols"].numpy()
        return {"images": images, "symbols": arrived, "bands": np.arange(config.channel.bands + 1, dtype=np.int32)}

    def golden_outputs(self, codec, inputs):
        """See `Family.golden_outputs`."""
        images, symbols, seed = (inputs[name] for name in ("images", "symbols", "seed"))
        bands = inputs["bands"]
        found = {
            "transmit": codec.transmit(images, seed),
            "corrupt": codec.corrupt(symbols, seed),
            "communicate": codec.communicate(images, bands[-1], seed),
            "rates": codec.rates(images, seed),
        }
        return found | {f"receive_{count}": codec.receive(symbols, count, seed) for count in bands}

    def signatures(self, config):
        """See `Family.signatures`."""
        symbols, seed, bands = ("float32", (None, config.channel.symbols)), ("int32", (2,)), ("int32", ())
        numbers = config.system == "channel_autoencoder"
        shape = (None, config.channel.symbols) if numbers else (None, *config.network.image_shape)
        shown = {"images": ("float32", shape)}
        rates = dict.fromkeys(self.rates(config), ("float32", (None,)))
        expected = {
            "corrupt": ({"symbols": symbols, "seed": seed}, {"symbols": symbols}),
            "receive": ({"symbols": symbols, "bands": bands, "seed": seed}, shown),
        }
        for suffix, dtype in (("", "float32"),) if numbers else (("", "uint8"), ("_float", "float32")):
            images = {"images": (dtype, shape), "seed": seed}
            expected[f"transmit{suffix}"] = (images, {"symbols": symbols})
            expected[f"communicate{suffix}"] = ({**images, "bands": bands}, shown)
            expected[f"rates{suffix}"] = (images, rates)
        expected["serving_default"] = expected["communicate"]
        return expected

    def rates(self, config):
        """Names of what a system's `rates` gives, a tuple of `str`."""
        if config.system == "channel_autoencoder":
            return _RATES[1:]
        if config.system == "source_vae":
            return _RATES[:1]
        return (*_RATES[:1], *config.channel.bounds[: 1 if config.system == "separate" else None])
