"""The loss and its gradient against the code published with the paper, on one batch.

    git clone https://github.com/mariamartinezgarcia/codedVAE && pip install torch
    python -m benchmarks.published_code --code=codedVAE --model=zoo/coded_8_240

Both have the weights of the same model, the same images and the same uniform numbers in place of the noise. The
published code, PyTorch, runs twice: in float64 with its caps of probabilities, 0.999 and with branches 0.9999, raised
to 1 - 1e-6, which shows whether the networks and the loss are the same; and as it is, in float32, which shows what the
caps and the rounding of equation 5 change. Only for models of 28x28 images with the paper's layers.
"""

import pathlib
import sys
from unittest import mock

from absl import flags

from tfcoded import cli
from tfcoded.utils import path_flags
from tfcoded.utils.errors import UserError
from tfcoded.utils.files import for_tensorflow

FLAGS = flags.FLAGS
_CAP = 1 - 1e-6


def define_flags():
    path_flags.define("code", None, "Folder of the published code.", required=True)
    path_flags.define("model", "zoo/coded_8_240", "Folder of a SavedModel of a Coded-DVAE.", check=for_tensorflow)
    flags.DEFINE_integer("images", 64, "Training images of the batch.", lower_bound=1)
    path_flags.define("data_dir", None, "Folder of tensorflow-datasets.", check=for_tensorflow)


def here(model, images):
    """Loss and gradient of the training here, and the uniform numbers that z was made of.

    Args:
      model: `tfcoded.models.CodedDVAE`.
      images: `[b, h, w, c]`, uint8.

    Returns:
      The mean loss, a list of arrays as `model.trainable_variables`, and `[b, D]`.
    """
    import tensorflow as tf

    from tfcoded.distributions import smoothed_bernoulli

    numbers = []
    quantile = smoothed_bernoulli._quantile

    def remembered(logits, rho, beta):
        numbers.append(rho.numpy())
        return quantile(logits, rho, beta)

    with mock.patch.object(smoothed_bernoulli, "_quantile", remembered), tf.GradientTape() as tape:
        loss = tf.reduce_mean(model.training_terms(images, tf.constant([1, 2]))["loss"])
    gradient = tape.gradient(loss, model.trainable_variables)
    (rho,) = numbers
    return float(loss), [part.numpy() for part in gradient], rho


def networks(model, config):
    """The published networks with a model's weights, in PyTorch's default dtype.

    Args:
      model: `tfcoded.models.CodedDVAE`.
      config: its `tfcoded.config.Config`.

    Returns:
      The encoder, the decoder, and for each of their parameters a tuple with the variable of the model and the function
      from an array of the parameter's shape to one of the variable's.
    """
    import numpy as np
    import torch
    from src.nn import modules

    for name in ("LambdaLayer", "ScaledTanh"):  # src/nn/encoder.py imports them; nothing uses or defines them
        vars(modules).setdefault(name, None)
    from src.nn.encoder import Encoder

    from export import published_weights

    encoder = Encoder(modules.get_encoder("dcgan", config.code_bits, "FMNIST"))
    decoder = modules.get_decoder("cnnskip", config.code_bits, "FMNIST")
    triples = []
    for theirs, ours in ((encoder, model.encoder), (decoder, model.decoder)):
        arranged = published_weights.arrangement(ours)
        triples += [(parameter, *pair) for parameter, pair in zip(theirs.parameters(), arranged, strict=True)]
    for parameter, variable, arranged in triples:
        places = arranged(np.arange(parameter.numel()).reshape(parameter.shape))
        values = np.empty(parameter.numel(), np.float32)
        values[places.ravel()] = variable.numpy().ravel()
        parameter.data.copy_(torch.tensor(values.reshape(parameter.shape)))
    return encoder, decoder, triples


def pixels(images):
    """Images `[b, h, w, 1]`, uint8, as a tensor `[b, 1, h, w]` in [0, 1] of PyTorch's default dtype."""
    import torch

    return torch.tensor(images.transpose(0, 3, 1, 2)).to(torch.get_default_dtype()) / 255


def elbo(config, images, encoder, decoder):
    """The published code's ELBO from one sample, averaged over images.

    Args:
      config: `tfcoded.config.Config` of the model.
      images: what `pixels` returns.
      encoder, decoder: what `networks` returns.

    Returns:
      A scalar tensor, in nats.
    """
    import torch
    from src.train import loss

    from tfcoded import codes

    code = config.code
    settings = {"beta": torch.tensor(config.beta), "likelihood": "ber", "n_samples": 1}
    if code.kind == "uncoded":
        return loss.get_elbo_uncoded(images, encoder, decoder, **settings)[0]
    branches = [codes.Repetition(*bits) for bits in zip(code.information_bits, code.code_bits, strict=True)]
    g = [torch.tensor(branch.generator_matrix, dtype=images.dtype) for branch in branches]
    if code.kind == "repetition":
        return loss.get_elbo_rep(images, encoder, decoder, g[0], g[0].T, **settings)[0]
    return loss.get_elbo_hier(
        images,
        encoder,
        decoder,
        g,
        [part.T for part in g],
        list(code.information_bits),
        sum(code.information_bits),
        _chained(code.information_bits),
        polar=code.polar,
        **settings,
    )[0]


def _chained(sizes):
    """The published script's matrices from the bits of each branch to those of the next: bit k mod rows goes to k."""
    import torch

    return [torch.eye(rows)[torch.arange(columns) % rows].T for rows, columns in zip(sizes[:-1], sizes[1:])]


def there(model, config, images, rho, dtype, cap):
    """As `here`, by the published code.

    Args:
      model, images: as for `here`.
      config: `tfcoded.config.Config` of the model.
      rho: `[b, D]`, the uniform numbers.
      dtype: `"float32"` or `"float64"`.
      cap: `float`, the largest probability of a bit, or `None` for that of the code.

    Returns:
      The mean loss and a list of arrays as `model.trainable_variables`.
    """
    import torch
    from src.train import loss
    from src.utils import sampling

    def capped(clamp):
        return clamp if cap is None else lambda probability, min, max: clamp(probability, min, cap)

    torch.set_default_dtype(getattr(torch, dtype))
    encoder, decoder, triples = networks(model, config)
    numbers = torch.tensor(rho.astype(dtype))
    with (
        mock.patch.object(torch, "rand", lambda shape: numbers.reshape(shape)),
        mock.patch.object(loss, "dclamp", capped(loss.dclamp)),
        mock.patch.object(sampling, "dclamp", capped(sampling.dclamp)),
    ):
        negative = -elbo(config, pixels(images), encoder, decoder)
        negative.backward()
    gradient = {variable.path: arranged(parameter.grad.numpy()) for parameter, variable, arranged in triples}
    return negative.item(), [gradient[variable.path] for variable in model.trainable_variables]


def differences(gradient, other, variables):
    """The length of the difference of two gradients, relative to the second.

    Args:
      gradient, other: lists of arrays as `variables`.
      variables: the `model.trainable_variables` of a Coded-DVAE.

    Returns:
      Two `float`s: of the encoder's weights and of the decoder's.
    """
    import numpy as np

    found = []
    for part in ("encoder", "decoder"):
        chosen = [index for index, variable in enumerate(variables) if part in variable.path]
        squares = [
            (np.sum((gradient[index] - other[index]) ** 2.0), np.sum(np.square(other[index], dtype=np.float64)))
            for index in chosen
        ]
        difference, whole = np.sum(squares, axis=0)
        found.append(float(np.sqrt(difference / whole)))
    return found


def _coded_dvae(path):
    """The Coded-DVAE of a SavedModel with its weights, and its configuration; `path` as for `prepared`."""
    from tfcoded.zoo import folders, identity

    folder = folders.find_saved_model(path)
    if folder is None:
        raise UserError(f"--model {path} holds no SavedModel")

    from tfcoded import families, models, zoo
    from tfcoded.zoo import restoring

    codec = zoo.load_saved_model(folder)
    config = zoo.with_own_facts(identity.configuration_of(codec, folder))
    if families.of(config).name != "coded_dvae":
        raise UserError(f"--model {path} is no Coded-DVAE")
    model = models.build(config)
    restoring.restore_weights(model, folder)
    return model, config


def prepared(code, path):
    """The model of a SavedModel and its configuration, after making the published code importable as `src`.

    Args:
      code: `str`, the folder of the published code.
      path: `str`, the folder of the SavedModel.

    Returns:
      `tfcoded.models.CodedDVAE` and `tfcoded.config.Config`.

    Raises:
      UserError: if there is no code, no PyTorch, or a model which that code does not train.
    """
    folder = pathlib.Path(code)
    if not (folder / "src" / "train" / "loss.py").is_file():
        raise UserError(f"--code {folder} does not hold src/train/loss.py; expected a clone of the published code")
    model, config = _coded_dvae(path)
    network, objective = config.network, config.objective
    layers = (network.image_shape, network.encoder_width, network.decoder_width)
    if layers != ((28, 28, 1), 512, 1024) or config.likelihood != "bernoulli":
        raise UserError(f"--model {path}: expected 28x28 images, widths of 512 and 1024 and bernoulli likelihood")
    if (objective.kind, objective.samples) != ("elbo", 1):
        raise UserError(f"--model {path} was not trained with the ELBO from one sample")
    if config.code.kind not in ("uncoded", "repetition", "hierarchical"):
        raise UserError(f"--model {path} has a {config.code.kind} code, which the published code does not train")
    try:
        import torch  # noqa: F401
    except ImportError as error:
        raise UserError("the published code needs PyTorch: pip install torch") from error
    sys.path.insert(0, str(folder))
    return model, config


def main():
    model, config = prepared(FLAGS.code, FLAGS.model)

    import torch

    from tfcoded import data
    from tfcoded.runs import provenance

    images = data.load(config.dataset, FLAGS.data_dir).train_images[: FLAGS.images]
    loss, gradient, rho = here(model, images)
    print(f"{config.name}, {len(images)} training images, PyTorch {torch.__version__}; {provenance.hardware()}")
    print(f"loss here, float32: {loss:.4f} nats")
    print("| published code | loss, nats | encoder's gradient differs by | decoder's |\n| --- | --- | --- | --- |")
    for name, dtype, cap in (("float64, cap at 1 - 1e-6", "float64", _CAP), ("as it is, float32", "float32", None)):
        theirs, other = there(model, config, images, rho, dtype, cap)
        encoders, decoders = differences(gradient, other, model.trainable_variables)
        print(f"| {name} | {theirs:.4f} | {encoders:.1e} | {decoders:.1e} |", flush=True)


if __name__ == "__main__":
    cli.run(main, define_flags)
