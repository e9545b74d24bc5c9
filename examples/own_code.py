"""Train a code of your own: a Coded-DVAE with a repeated Hamming code on Fashion-MNIST.

    python examples/own_code.py --out=own_code.png

The picture has test images in its first row and their reconstructions from 4 bits below. Three epochs are trained, which
takes minutes on CPU cores.
"""

import argparse
from typing import ClassVar, Literal

import numpy as np
import tensorflow as tf

from tfcoded import codes, data, models
from tfcoded.codes.codebook import information_marginals
from tfcoded.pictures import sheet
from tfcoded.utils.sections import Integer


class RepeatedHamming(codes.Code):
    """The [7, 4] Hamming code, every code bit sent several times. Words are decoded by enumeration: there are 16."""

    def __init__(self, repetitions):
        super().__init__(information_bits=4, code_bits=7 * repetitions)
        self.repetitions = repetitions

    def get_config(self):
        return {"repetitions": self.repetitions}

    def _generator_matrix(self):
        hamming = [[1, 0, 0, 0, 1, 1, 0], [0, 1, 0, 0, 1, 0, 1], [0, 0, 1, 0, 0, 1, 1], [0, 0, 0, 1, 1, 1, 1]]
        return np.repeat(np.array(hamming, np.uint8), self.repetitions, axis=1)

    def _encode(self, bits):
        sums = tf.matmul(tf.cast(bits, tf.float32), tf.constant(self.generator_matrix, tf.float32))
        return tf.cast(tf.math.floormod(sums, 2.0), bits.dtype)

    def _soft_encode(self, logits):
        columns = []
        for column in self.generator_matrix.T[:: self.repetitions]:  # a code bit: the exclusive or of some bits
            first, *others = np.flatnonzero(column)
            parity = logits[..., first]
            for place in others:
                parity = codes.soft_xor(parity, logits[..., place])
            columns.append(parity)
        return tf.repeat(tf.stack(columns, axis=-1), self.repetitions, axis=-1)

    def _soft_decode(self, logits):
        return information_marginals(self.word_scores(logits), self.information_bits)


@codes.register
class RepeatedHammingSettings(codes.CodeSettings):
    """What a configuration says of it: `code: {kind: repeated_hamming, repetitions: 20}`, with `--plugin`."""

    kind: Literal["repeated_hamming"] = "repeated_hamming"
    repetitions: Integer = 20
    makes: ClassVar = RepeatedHamming
    information_bits: ClassVar = 4

    @property
    def code_bits(self):
        return 7 * self.repetitions


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", default="fashion_mnist", help="a data set, or the path of images of 28x28 pixels")
    parser.add_argument("--repetitions", type=int, default=20, help="how often a code bit is sent")
    parser.add_argument("--train_images", type=int, default=12800, help="train on the first so many images")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--out", default="own_code.png", help="the picture to write")
    arguments = parser.parse_args()

    images = data.load(arguments.dataset)
    model = models.CodedDVAE(RepeatedHamming(arguments.repetitions), images.image_shape, beta=15.0)
    model.compile(optimizer=models.AdamL2(1e-4, l2=1e-4))
    model.fit(images.train_images[: arguments.train_images], batch_size=128, epochs=arguments.epochs)

    shown = images.test_images[:10]
    words = tf.cast(model.information_logits(shown) > 0, tf.int32)  # [10, 4], the likeliest bits
    print(words.numpy())
    reconstructions = model.decode(model.modulate(words, seed=[0, 1]))
    rows = np.concatenate([shown / 255, reconstructions])
    sheet(rows, 10, arguments.out, row_titles=["images", "from 4 bits"])
    print(arguments.out)


if __name__ == "__main__":
    main()
