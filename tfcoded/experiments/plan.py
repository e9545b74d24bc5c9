"""What an experiment consists of: cells to measure, and the networks to train for them."""

import dataclasses
import itertools
import json
import math

from tfcoded import config as configuration, zoo
from tfcoded.data import registry
from tfcoded.metrics import groups
from tfcoded.runs import workdir
from tfcoded.utils.errors import UserError

BETAS = (0.01, 10**-1.5, 0.1, 10**-0.5, 1.0, 10**0.5, 10.0)  # weights of the rate
SNRS = (0.01, 0.1, 1.0, 10.0, 100.0)  # linear, of powers
VALIDATION_IMAGES = 5000
DRAWS = groups.DRAWS.default  # of the channel, per image

PRIORS = {"gaussian": "bwlc_prior_gaussian", "convdraw": "bwlc_prior_convdraw"}
DECODERS = {"plain": "bwlc_decoder_plain", "ALV": "bwlc_alv"}


@dataclasses.dataclass(frozen=True)
class Settings:
    """How an experiment is carried out.

    Attributes:
      dataset: `str`, name or path of the images.
      size: `str`, of the networks.
      epochs: `int`, of every network that sees images.
      channel_epochs: `int`, of the channel autoencoders.
      batch_size: `int`.
      seeds: tuple of `int`: everything is trained and measured with each of them.
      betas: tuple of `float`, or empty for the default of the experiment.
      snrs: tuple of `float`.
      train_images: `int`, images to train on, the first ones; or `None` for all but the validation images.
      validation_images: `int`, the last ones of the training images, which `beta` is chosen with.
      eval_images: `int`, validation and test images that are measured, the first ones; or `None` for all.
      draws: `int`, of the channel, per test image.
      dtype_policy: `str`, of the trainings: 'float32' or 'mixed_bfloat16'. What is measured is computed in float32.
      image_shape: `(height, width, channels)`.
      zoo_dir: folder of the zoo, or `None`.
      inception: `str`, file of the FID network's weights, or `None`.
      overrides: tuple of `str`, more changes of every configuration, such as 'channel.marginalise=mc'.
    """

    dataset: str = "cifar10"
    size: str = "small"
    epochs: int = 5
    channel_epochs: int = 15
    batch_size: int = 128
    seeds: tuple = (0, 1, 2)
    betas: tuple = ()
    snrs: tuple = SNRS
    train_images: int | None = None
    validation_images: int = VALIDATION_IMAGES
    eval_images: int | None = None
    draws: int = DRAWS
    dtype_policy: str = "float32"
    image_shape: tuple = (32, 32, 3)
    zoo_dir: str | None = None
    inception: str | None = None
    overrides: tuple = ()

    def facts(self):
        """`dict` of what decides the numbers of a cell, beside its configuration and seed."""
        keys = ("train_images", "validation_images", "eval_images", "draws", "dtype_policy")
        return {key: getattr(self, key) for key in keys}


@dataclasses.dataclass(frozen=True)
class Run:
    """A network to train.

    Attributes:
      config: its `tfcoded.config.communication.SystemConfig`.
      seed: `int`.
    """

    config: configuration.Configuration
    seed: int

    @property
    def name(self):
        """`str`, the run's folder."""
        return f"{self.config.name}_seed{self.seed}"


@dataclasses.dataclass(frozen=True)
class Cell:
    """A trained system to measure.

    Attributes:
      config: its `tfcoded.config.communication.SystemConfig`.
      seed: `int`.
      runs: tuple of `Run`s: the system itself, or the source VAE and the channel autoencoder it consists of.
      label: `str`, what the system is called beside the others of its experiment.
      distances: `bool`, whether Fréchet distances are measured.
    """

    config: configuration.Configuration
    seed: int
    runs: tuple
    label: str
    distances: bool = False

    @property
    def name(self):
        """`str`, the cell's file."""
        return f"{self.config.name}_seed{self.seed}"

    @property
    def beta(self):
        """`float`."""
        return self.config.beta

    @property
    def snr(self):
        """`float`."""
        return self.config.channel.snr

    def settings(self, settings):
        """Everything that its numbers depend on, as JSON can hold it.

        Args:
          settings: `Settings` of the experiment.
        """
        content = {"seed": self.seed} | settings.facts() | workdir.settings(self.config)
        for run in self.runs:
            if run.config != self.config:
                content |= {f"{run.config.system}.{key}": value for key, value in workdir.settings(run.config).items()}
        if self.distances:
            content["distance"] = distance_name(settings)
        return content


class NothingSent:
    """What is measured without a system: every image is answered by the mean of the training images.

    No answer that does not depend on the image has a smaller squared error, so that a system with a larger one is worse
    than none. It takes the place of a `Cell`, without runs, beta and signal-to-noise ratio.
    """

    name = "nothing_sent"
    label = "nothing sent"
    seed = 0  # nothing is drawn
    runs = ()
    beta = snr = None
    distances = False

    def settings(self, settings):
        """As `Cell.settings`."""
        keys = ("dataset", "image_shape", "train_images", "validation_images", "eval_images")
        return {key: getattr(settings, key) for key in keys}


def distance_name(settings):
    """`fid` with an Inception network, otherwise `fd_classifier`: the two have nothing to do with each other."""
    return "fid" if settings.inception else "fd_classifier"


def joint_and_separate(settings):
    """Cells of both kinds of system at every signal-to-noise ratio and every beta.

    The last one is `NothingSent`. Source VAEs do not depend on the channel and channel autoencoders not on beta, so that all separate systems are
    composed of as many runs as there are betas and ratios, not of as many as there are pairs.
    """
    cells = []
    joint, separate = (zoo.config(f"bwlc_{kind}_snr1", settings.zoo_dir) for kind in ("joint", "separate"))
    for seed, beta, snr in itertools.product(settings.seeds, settings.betas or BETAS, settings.snrs):
        b, s = f"beta{beta:.3g}", f"snr{snr:g}"
        changes = [f"beta={beta!r}", f"channel.snr={snr!r}"]
        config = _adapted(joint, settings, f"joint_{s}_{b}", changes)
        cells.append(Cell(config, seed, (Run(config, seed),), "joint"))
        config = _adapted(separate, settings, f"separate_{s}_{b}", changes)
        source = config.part("source_vae").replace(name=f"source_{b}")
        channel = configuration.override(
            config.part("channel_autoencoder"), [f"training.epochs={settings.channel_epochs}"]
        ).replace(
            name=f"channel_{s}",
        )
        cells.append(Cell(config, seed, (Run(source, seed), Run(channel, seed)), "separate"))
    return [*cells, NothingSent()]


def bandwidth_limited(settings, entries, distances=False):
    """Cells of systems with several bands, at their own beta or at those of the settings.

    Args:
      settings: `Settings`.
      entries: `dict` from a label to the name of the zoo's entry.
      distances: `bool`, whether Fréchet distances are measured.
    """
    cells = []
    for label, entry in entries.items():
        config = zoo.config(entry, settings.zoo_dir)
        for seed, beta in itertools.product(settings.seeds, settings.betas or (config.beta,)):
            name = f"{entry.removeprefix('bwlc_')}_beta{beta:.3g}"
            changed = _adapted(config, settings, name, [f"beta={beta!r}"])
            cells.append(Cell(changed, seed, (Run(changed, seed),), label, distances))
    return cells


def betas_of(cells):
    """Weights of the rate that cells were trained with, a sorted list of `float`."""
    return sorted({cell.beta for cell in cells if cell.runs})


def runs_of(cells):
    """Every `Run` of these cells once, in order."""
    return list(dict.fromkeys(run for cell in cells for run in cell.runs))


def steps(config, images):
    """`int`, training steps of a configuration."""
    return config.training.epochs * math.ceil(images / config.training.batch_size)


def image_shape(dataset, data_dir=None):
    """Shape of the images of a data set; a path is read.

    Raises:
      UserError: if there are no such images.
    """
    if dataset == registry.NORMAL:
        raise UserError(f"--dataset={dataset}: expected images")
    if (shape := registry.shape_of(dataset)) is not None:
        return shape
    from tfcoded import data

    return tuple(data.load(dataset, data_dir).train_images.shape[1:])


def _adapted(config, settings, name, changes):
    """`config` with this data, these networks and this training under another name."""
    assignments = [
        f"dataset={json.dumps(settings.dataset)}",
        f"network.image_shape={list(settings.image_shape)}",
        f"network.size={settings.size}",
        f"training.epochs={settings.epochs}",
        f"training.batch_size={settings.batch_size}",
        *settings.overrides,
        *changes,
    ]
    return configuration.override(config, assignments).without_facts(name=name)
