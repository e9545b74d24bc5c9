"""The weights of what the code published with the Coded-DVAE's paper trained, in models of this package.

That code (https://github.com/mariamartinezgarcia/codedVAE) saves a PyTorch `state_dict`, of its classifiers as the
"model_state_dict" of a larger dict. Its networks are the ones here, layer by layer and in the same order, with other
layouts: channels come before rows and columns.
"""

import io
import math
import pathlib
import zipfile

import numpy as np

from tfcoded.metrics.frechet import torch_archive
from tfcoded.networks import Encoder
from tfcoded.networks.classifier import Classifier
from tfcoded.utils.errors import UserError


def read(path):
    """The arrays of a checkpoint.

    Args:
      path: `str` or `os.PathLike`, what `torch.save` wrote.

    Returns:
      `dict` from name to array, in the order of the file.

    Raises:
      UserError: if it is no such file.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(pathlib.Path(path).read_bytes())) as archive:
            state = torch_archive.read(archive)
        state = state.get("model_state_dict", state)
        if not all(isinstance(key, str) and isinstance(array, np.ndarray) for key, array in state.items()):
            raise ValueError("it holds more than named arrays")
        return dict(state)
    except MemoryError:
        raise
    except Exception as error:  # zipfile and pickle show damage in a dozen ways
        raise UserError(f"{path} is not the state_dict of a model, as torch.save writes it ({error})") from error


def assign(model, state):
    """Gives a Coded-DVAE the weights of a checkpoint.

    A checkpoint tells its networks, not its code, beta or data set: two models of equal networks are not told apart.

    Args:
      model: a built `tfcoded.models.CodedDVAE`.
      state: `dict` from name to array, as `read` returns it.

    Raises:
      UserError: if the checkpoint is that of other networks, or not finite; the model is as it was then.
    """
    values = []
    for name, network in (("encoder", model.encoder), ("decoder", model.decoder)):
        arrays = {key: array for key, array in state.items() if key.startswith(f"{name}.")}
        values += _values(name, arrangement(network), arrays)
    for variable, value in values:
        variable.assign(value)


def classifier(state):
    """The classifier of 28x28 images.

    Args:
      state: `dict` from name to array, as `read` returns it.

    Returns:
      `tfcoded.networks.classifier.FoldedClassifier`.

    Raises:
      UserError: if the checkpoint is that of another network, or not finite.
    """
    network = Classifier()
    network(np.zeros([1, 28, 28, 1], np.float32))  # makes the variables
    for normalization in network.normalizations:
        normalization.epsilon = 1e-5  # PyTorch's
    arrays = {key: array for key, array in state.items() if not key.endswith(".num_batches_tracked")}
    for variable, value in _values("classifier", _classifier(network), arrays):
        variable.assign(value)
    return network.folded((28, 28, 1))


def _values(name, parameters, arrays):
    """Pairs of a variable and its value, of `parameters` as from `arrangement` and a checkpoint's arrays, checked."""
    if len(arrays) != len(parameters):
        raise UserError(f"the checkpoint's {name} has {len(arrays)} arrays; expected {len(parameters)}")
    values = []
    for (variable, arranged), (key, array) in zip(parameters, arrays.items(), strict=True):
        try:
            value = arranged(array)
        except ValueError as error:  # from reshape and transpose
            raise UserError(f"{key} of the checkpoint has the shape {array.shape}; {error}") from error
        if value.shape != tuple(variable.shape):
            raise UserError(
                f"{key} of the checkpoint has the shape {array.shape}, as {variable.path} {value.shape}; "
                f"expected {tuple(variable.shape)}: choose the --model that was trained"
            )
        if not np.isfinite(value).all():
            raise UserError(f"{key} of the checkpoint has numbers that are not finite")
        values.append((variable, value))
    return values


def arrangement(network):
    """How PyTorch arranges the weights of an encoder or a decoder.

    Args:
      network: a built `tfcoded.networks.Encoder` or `Decoder`.

    Returns:
      list, in PyTorch's order, of pairs of a variable and the function from an array of PyTorch's to its value.
    """
    return _encoder(network) if isinstance(network, Encoder) else _decoder(network)


def _encoder(encoder):
    pairs = []
    for convolution in encoder.convolutions:  # PyTorch's kernel: [out, in, row, column]
        pairs += [(convolution.kernel, lambda a: a.transpose(1, 2, 3, 0)), (convolution.bias, np.asarray)]
    of_features = _of_features(encoder.convolutions[-1].filters)
    pairs += [(encoder.hidden.kernel, of_features), (encoder.hidden.bias, np.asarray)]
    return pairs + [(encoder.head.kernel, np.transpose), (encoder.head.bias, np.asarray)]


def _decoder(decoder):
    channels = decoder.block_1.convolution.in_channels

    def to_image(a):  # [channel, row, column, ...] to [row, column, channel, ...]
        spread = a.reshape(channels, 3, 3, *a.shape[1:])
        return np.moveaxis(spread, 0, 2).reshape(a.shape)

    pairs = [(decoder.hidden.kernel, np.transpose), (decoder.hidden.bias, np.asarray)]
    pairs += [(decoder.spread.kernel, lambda a: to_image(a).T), (decoder.spread.bias, to_image)]
    for up in (
        decoder.block_1,
        decoder.block_2,
        decoder.block_3,
        decoder.block_4,
        decoder.skip_1,
        decoder.skip_2,
    ):
        pairs += _transposed(up.convolution)
        pairs += [(dense.kernel, np.transpose) for dense in (up.gate.squeeze, up.gate.excite)]
    for convolution in decoder.head:
        pairs += _transposed(convolution)
    return pairs


def _classifier(network):
    pairs = []
    for convolution, normalization in zip(network.convolutions, network.normalizations, strict=True):
        pairs += [(convolution.kernel, lambda a: a.transpose(2, 3, 1, 0)), (convolution.bias, np.asarray)]
        statistics = (normalization.moving_mean, normalization.moving_variance)
        pairs += [(variable, np.asarray) for variable in (normalization.gamma, normalization.beta, *statistics)]
    pairs += [(network.dense_1.kernel, _of_features(network.filters[-1])), (network.dense_1.bias, np.asarray)]
    for dense in (network.dense_2, network.dense_3):
        pairs += [(dense.kernel, np.transpose), (dense.bias, np.asarray)]
    return pairs


def _of_features(channels):
    """The kernel that takes a flattened square image `[row, column, channel]` from one of `[channel, row, column]`."""

    def arranged(a):
        side = math.isqrt(a.shape[1] // channels)
        return a.reshape(-1, channels, side, side).transpose(2, 3, 1, 0).reshape(-1, len(a))

    return arranged


def _transposed(convolution):  # PyTorch's kernel: [in, out, row, column]
    return [(convolution.kernel, lambda a: a.transpose(0, 2, 3, 1)), (convolution.bias, np.asarray)]
