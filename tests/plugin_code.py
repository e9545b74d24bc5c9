"""A module from outside the package: an error-correcting code and an objective, each with settings of its own."""

from typing import ClassVar, Literal

import numpy as np
import tensorflow as tf

from tfcoded import codes, objectives
from tfcoded.codes.codebook import information_marginals
from tfcoded.utils.sections import Integer

HAMMING = [[1, 0, 0, 0, 1, 1, 0], [0, 1, 0, 0, 1, 0, 1], [0, 0, 1, 0, 0, 1, 1], [0, 0, 0, 1, 1, 1, 1]]


class Hamming(codes.Code):
    """The [7, 4] Hamming code, the whole codeword sent several times; decoded by enumeration."""

    def __init__(self, copies):
        super().__init__(information_bits=4, code_bits=7 * copies)
        self.copies = copies

    def get_config(self):
        return {"copies": self.copies}

    def _generator_matrix(self):
        return np.tile(np.array(HAMMING, np.uint8), [1, self.copies])

    def _encode(self, bits):
        sums = tf.matmul(tf.cast(bits, tf.float32), tf.constant(self.generator_matrix, tf.float32))
        return tf.cast(tf.math.floormod(sums, 2.0), bits.dtype)

    def _soft_encode(self, logits):
        columns = []
        for column in np.transpose(HAMMING):
            first, *others = np.flatnonzero(column)
            parity = logits[..., first]
            for place in others:
                parity = codes.soft_xor(parity, logits[..., place])
            columns.append(parity)
        return tf.concat([tf.stack(columns, axis=-1)] * self.copies, axis=-1)

    def _soft_decode(self, logits):
        return information_marginals(self.word_scores(logits), self.information_bits)


@codes.register
class HammingSettings(codes.CodeSettings):
    """`code: {kind: hamming, copies: 2}`."""

    kind: Literal["hamming"] = "hamming"
    copies: Integer = 1

    makes: ClassVar = Hamming
    information_bits: ClassVar = 4

    @property
    def code_bits(self):
        return 7 * self.copies

    @property
    def description(self):
        return f"[7, 4] Hamming code, sent {self.copies} times"

    def _check(self):
        self._require(self.copies >= 1, "copies", "at least 1")


class WeightedElbo(objectives.Objective):
    """The ELBO with a weight on the divergence."""

    def __init__(self, samples, kl_weight):
        super().__init__(samples)
        self.kl_weight = kl_weight

    def get_config(self):
        return super().get_config() | {"kl_weight": self.kl_weight}

    def __call__(self, model, images, seed):
        terms = model.evidence(images, seed)
        return terms | {"loss": self.kl_weight * terms["kl"] - terms["reconstruction"]}


@objectives.register
class WeightedElboSettings(objectives.ObjectiveSettings):
    """`objective: {kind: weighted_elbo, kl_weight: 0.5}`."""

    kind: Literal["weighted_elbo"] = "weighted_elbo"
    kl_weight: float = 1.0

    makes: ClassVar = WeightedElbo
