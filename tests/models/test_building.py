import pytest

from tfcoded import config, models

SYSTEM = {
    "name": "tiny",
    "system": "joint",
    "dataset": "images",
    "beta": 0.1,
    "channel": {"kind": "gaussian", "symbols": 8},
    "network": {"image_shape": [8, 8, 1], "size": "smoke"},
    "training": {"epochs": 2, "batch_size": 8, "learning_rate": 1e-3, "final_learning_rate": 1e-5},
}


def settings(**changes):
    return config.from_dict({**SYSTEM, **changes})


def channel(**changes):
    return {**SYSTEM["channel"], **changes}


CASES = {
    "source_vae": (models.SourceVAE, {"system": "source_vae"}),
    "channel_autoencoder": (
        models.ChannelAutoencoder,
        {"system": "channel_autoencoder", "dataset": "normal", "beta": 0.0, "network": {"size": "smoke"}},
    ),
    "separate": (models.SeparateSystem, {"system": "separate"}),
    "joint": (models.JointModel, {"channel": channel(bands=4, snr=10.0), "prior": "draw", "prior_space": "z"}),
    "spatial": (
        models.JointModel,
        {
            "channel": channel(bands=2, power="codeword", reveal_bands=True, fill_noise="channel", filler_grad=True),
            "prior": "draw_spatial",
            "decoder": {"kind": "alv", "observation_std": 0.1, "latent_prior": "unconditional"},
        },
    ),
    "elbo": (models.JointModel, {"channel": channel(bands=4, probabilities=[0.2] * 5), "objective": "elbo"}),
    "bsc": (models.BinaryJointModel, {"channel": {"kind": "binary_symmetric", "symbols": 8, "samples": 3}}),
    "relaxed": (
        models.BinaryJointModel,
        {"channel": {"kind": "binary_symmetric", "symbols": 8, "mode": "relaxed", "posterior_temperature": 0.3}},
    ),
    "bec": (
        models.BinaryJointModel,
        {"channel": {"kind": "binary_erasure", "symbols": 8, "erase_probability": 0.3}, "decoder": {"kind": "draw"}},
    ),
}


@pytest.fixture(scope="module")
def built():
    return {name: models.build(settings(**changes), seed=3, total_steps=40) for name, (_, changes) in CASES.items()}


def test_every_kind_of_system(built):
    for name, (kind, changes) in CASES.items():
        model, described = built[name], settings(**changes)
        assert type(model) is kind and model.built
        assert (model.item_shape, model.symbols) == (described.item_shape, 8)
        assert model.bands == described.channel.bands and model.seed == 3 and model.beta == described.beta
        paths = [weight.path for weight in model.weights]
        assert len(set(paths)) == len(paths) and not any(path.split("/")[1][-1].isdigit() for path in paths), name
        if name != "separate":
            assert (model.clip_norm, model.warm_up_steps, model.flip) == (1.0, 4, True)


def test_what_a_configuration_says_of_the_channel_arrives(built):
    limited = built["joint"].channel
    assert (limited.channel.snr, limited.channel.power, limited.marginalise) == (10.0, "batch", "complete")
    assert built["joint"].prior_space == "z" and type(built["joint"].prior).__name__ == "BandDrawPrior"
    spatial = built["spatial"]
    limited = spatial.channel
    assert (limited.channel.power, limited.channel.bands, limited.fill_noise) == ("codeword", 2, "channel")
    assert limited.reveal_bands and limited.filler_grad and spatial.decoder.symbols == 10
    assert spatial.prior.form == "spatial" and spatial.decoder.prior == "unconditional"
    assert spatial.observation_std == 0.1
    assert built["elbo"].objective == "elbo"
    assert built["elbo"].channel.probabilities == pytest.approx([0.2] * 5)
    assert built["bsc"].channel.p_keep == 0.9 and built["bsc"].samples == 3 and not built["bsc"].relaxed
    relaxed = built["relaxed"]
    assert relaxed.relaxed and (relaxed.posterior_temperature, relaxed.prior_temperature) == (0.3, 0.1)
    assert relaxed.hard_channel.mode == "hard" and relaxed.hard_channel.p_keep == 0.9
    assert built["bec"].channel.erase_prob == 0.3 and type(built["bec"].decoder).__name__ == "PlainDrawDecoder"


def test_without_a_number_of_steps_nothing_grows():
    model = models.build(settings())
    assert model.warm_up_steps == 0 and model.seed == 0
    assert float(models.optimizer(settings()).learning_rate) == pytest.approx(1e-3)


def test_a_coded_model():
    described = config.from_dict(
        {
            "name": "coded",
            "dataset": "fashion_mnist",
            "likelihood": "bernoulli",
            "beta": 15.0,
            "code": {"kind": "repetition", "information_bits": 2, "code_bits": 4},
            "network": {"image_shape": [28, 28, 1], "encoder_width": 4, "decoder_width": 4},
            "training": {"epochs": 1, "batch_size": 8, "learning_rate": 2e-4, "l2": 3e-4},
        }
    )
    model = models.build(described, 5)
    assert type(model) is models.CodedDVAE and model.seed == 5 and model.clip_norm is None
    assert model.monitor == "elbo"
    optimizer = models.optimizer(described, 100)
    assert (float(optimizer.learning_rate), optimizer.l2) == (pytest.approx(2e-4), 3e-4)


def test_the_learning_rate_falls_along_a_cosine():
    optimizer = models.optimizer(settings(), 100)
    assert optimizer.l2 == 0.0
    for step, rate in ((0, 1e-3), (50, (1e-3 + 1e-5) / 2), (100, 1e-5), (150, 1e-5)):
        optimizer.iterations.assign(step)
        assert float(optimizer.learning_rate) == pytest.approx(rate, rel=1e-4)
