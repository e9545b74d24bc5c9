"""What commands ask of a kind of model."""

from tfcoded.metrics import registry
from tfcoded.utils.errors import UserError


class Family:
    """A kind of model: what its SavedModel offers, what can be measured of it, and what it is drawn as.

    Subclasses implement all methods but `require`. Its metrics are those of `tfcoded.metrics.METRICS` with its name.

    Attributes:
      name: `str`, a key for what belongs to one kind.
      noun: `str`, what such a model is called in messages, with its article.
      methods: `str`s, what an object must have to be taken for such a model.
      example: `str`, a call that shows how a loaded SavedModel is used.
      own_flags: `str`s, flags of the commands that mean something for this kind alone, beside the metrics' options.
      compensated: `bool`, whether `tfcoded.codec.layer_inputs` knows its layers, so that it can be stored so.
      smoke: `bool`, whether its networks have the size `smoke`, for a quick trial.
    """

    name = ""
    noun = ""
    methods = ()
    example = ""
    own_flags = ()
    compensated = False
    smoke = False

    @property
    def metrics(self):
        """Names of the groups of metrics that can be measured, a tuple of `str`."""
        return tuple(group.name for group in registry.of_family(self.name))

    @property
    def default_metrics(self):
        """Names of those that are measured unless others are asked for, a tuple of `str`."""
        return tuple(group.name for group in registry.of_family(self.name) if group.default)

    @property
    def flags(self):
        """Names of the flags that mean something for this kind alone, a tuple of `str`."""
        options = (option.name for group in registry.of_family(self.name) for option in group.options)
        return tuple(dict.fromkeys((*self.own_flags, *options)))

    def require(self, config, metrics):
        """The groups of metrics to measure, a tuple of `str`; the default ones if none is named.

        Raises:
          UserError: if one of `metrics` cannot be measured of this kind.
        """
        other = [name for name in metrics if name not in self.metrics]
        if other:
            raise UserError(
                f"--metrics={','.join(metrics)}: {config.name} is {self.noun}, of which "
                f"{', '.join(self.metrics)} can be measured"
            )
        return tuple(metrics) or self.default_metrics

    def module(self, model, config, storage="float32", images=None):
        """What a SavedModel of a model holds, a `tf.Module` of `tfcoded.codec`, whose arguments these are."""
        raise NotImplementedError

    def describe(self, config):
        """`str`, what the model is, for the first line of a training."""
        raise NotImplementedError

    def samples(self, codec, config, images, labels, classifier, plan):
        """What the most telling metrics are the means of, so that two models can be compared image by image.

        Args:
          codec, config, classifier: as in `tfcoded.evaluation.measurement.measure`.
          images: `[N, ...]`, test images.
          labels: `[N]`, or `None`.
          plan: `tfcoded.evaluation.plan.Plan`.

        Returns:
          `dict` from a metric's name to an array.
        """
        raise NotImplementedError

    def draw(self, codec, config, images, out, *, rows, columns, seed, reconstructions=True, words=None):
        """Draws what the model makes of images, and of nothing.

        Args:
          codec, config: the model.
          images: `[N, ...]` of its data set; not used without `reconstructions`.
          out: `pathlib.Path` of a folder.
          rows, columns: `int`, of a sheet.
          seed: `int`.
          reconstructions: `bool`, whether to draw the sheets that need images.
          words: `int`, how many words are shown of each image where the model has words; `None`: no such sheet.

        Returns:
          list of `pathlib.Path`; empty where there is nothing to see.
        """
        raise NotImplementedError

    def golden_inputs(self, codec, config, images, seed):
        """More inputs for `golden_outputs`, beside `images` and `seed`.

        Args:
          codec, config: the model.
          images: `[N, ...]` of its data set, a few.
          seed: `int32 [2]`.

        Returns:
          `dict` from a name to an array.
        """
        raise NotImplementedError

    def golden_outputs(self, codec, inputs):
        """What the model's methods return, a `dict` from a method's name to its outputs.

        Args:
          codec: the model.
          inputs: `dict` of tensors: `images`, `seed` and those of `golden_inputs`.
        """
        raise NotImplementedError

    def signatures(self, config):
        """Signatures of the SavedModel.

        Returns:
          `dict` from a name to (inputs, outputs), each a `dict` from a tensor's name to (dtype, shape).
        """
        raise NotImplementedError
