"""What every objective offers: what a training step minimizes, and what configurations say of it."""

import abc
from typing import Any, ClassVar

from tfcoded.utils.kinds import KindOfSection
from tfcoded.utils.registry import Registry
from tfcoded.utils.sections import Integer


class Objective(abc.ABC):
    """A bound on log p(x), its value and the estimator of its gradient.

    It is called with a model, images and a seed `int32 [2]`, and returns a `dict` of tf.float32 `[b]`:

    * `loss`: its gradient, averaged over the batch, is the estimate. Its value means something only where it is a bound.
    * `bound` (an attribute): the name of the entry that training maximizes.
    * `elbo`, `reconstruction`, `kl` and further values in nats, to be reported; `kl_branches` `[b, branches]`.

    Of a model it may use `posterior`, `log_likelihood`, `bound_terms`, `evidence`, `code` and `beta`, see
    `tfcoded.models.CodedDVAE`.

    Args:
      samples: `int` of at least `smallest`, samples per image.

    Attributes:
      bound: `str`.
      over_words: `bool`, whether the posterior is one over whole codewords instead of independent bits.
    """

    bound = "elbo"
    over_words = False
    smallest = 1

    def __init__(self, samples):
        if samples < self.smallest:
            raise ValueError(f"samples must be at least {self.smallest}, got {samples}")
        self.samples = samples

    @abc.abstractmethod
    def __call__(self, model, images, seed):
        """Loss and terms of some images."""

    def get_config(self):
        """Arguments of the constructor."""
        return {"samples": self.samples}

    @classmethod
    def from_config(cls, config):
        """The objective whose `get_config` is `config`."""
        return cls(**config)


class ObjectiveSettings(KindOfSection):
    """The section `objective` of a configuration; every objective has a subclass with fields of its own.

    A new objective is an `Objective`, a subclass of this, and `objectives.register`.

    Attributes:
      kind: the objective's name.
      samples: samples of the latent per image, at least `makes.smallest`.
      makes: the objective's class.
    """

    _place: ClassVar[str] = "objective."
    kinds: ClassVar[Registry] = Registry("objective")
    default_kind: ClassVar[str | None] = "elbo"
    makes: ClassVar[type[Objective]]
    also_written: ClassVar[dict[str, Any]] = {}  # settings of other kinds that files of this one have always had

    samples: Integer = 1

    @property
    def over_words(self) -> bool:
        """Whether the posterior is one over whole codewords."""
        return self.makes.over_words

    @property
    def description(self) -> str:
        """The objective in words, for cards."""
        return f"{self._title()}, {self.samples} sample{'s' * (self.samples > 1)}"

    def build(self) -> Objective:
        """The objective."""
        return self.makes(**{name: getattr(self, name) for name in type(self).model_fields if name != "kind"})

    def to_dict(self):
        """See `Section.to_dict`."""
        return {"kind": self.kind, "samples": self.samples} | self.also_written | super().to_dict()

    def _title(self):
        return self.kind

    def _check(self):
        smallest = self.makes.smallest
        baseline = ": the others are the baseline of each" if smallest > 1 else ""
        self._require(self.samples >= smallest, "samples", f"at least {smallest}{baseline}")
