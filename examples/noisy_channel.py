"""Send images over a noisy channel: words of 8 bits over a binary symmetric channel, with and without a code.

    python examples/noisy_channel.py --flips=0.05,0.2 --out=noisy_channel.png

The sender finds the most probable word of each image and encodes it. The channel flips bits. The receiver decodes softly
and makes an image of the word. Where a fifth of the bits is flipped, a word of 8 bits without a code (`uncoded_8`) arrives
in one case of six, and one of which each bit is sent 30 times (`coded_8_240`) nearly always.
"""

import argparse

import numpy as np
import tensorflow as tf

import tfcoded
from tfcoded import codes, data
from tfcoded.channels import BinarySymmetricChannel
from tfcoded.pictures import sheet

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--dataset", default="fashion_mnist", help="a data set, or the path of images of 28x28 pixels")
parser.add_argument("--flips", default="0.05,0.2", help="probabilities that a bit is flipped")
parser.add_argument("--count", type=int, default=10, help="number of images")
parser.add_argument("--out", default="noisy_channel.png", help="the picture to write")
arguments = parser.parse_args()

images = data.load(arguments.dataset).test_images[: arguments.count]
rows = {"images": images / 255}
for name, code in (("uncoded_8", codes.Uncoded(8)), ("coded_8_240", codes.Repetition(8, 240))):
    model = tfcoded.load(name)
    words = model.encode(images)["bits"]  # int32 [count, 8]
    for flip in map(float, arguments.flips.split(",")):
        channel = BinarySymmetricChannel(p_keep=1 - flip)
        received = channel(tf.cast(code.encode(words), tf.float32), seed=tf.constant([1, 2]))["z"]
        decoded = tf.cast(code.soft_decode(channel.log_likelihood_ratio(received)) > 0, tf.int32)
        wrong = np.mean(np.any(decoded != words, axis=1))
        print(f"{name}, {flip:.0%} of the bits flipped: {wrong:.0%} of the words are wrong")
        rows[f"{name}, {flip:.0%}"] = model.decode(decoded, seed=[3, 4])["images"]
sheet(np.concatenate(list(rows.values())), len(images), arguments.out, row_titles=list(rows))
print(arguments.out)
