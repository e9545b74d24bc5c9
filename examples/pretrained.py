"""Use a pretrained model: compress images to words of 8 bits, and make images of words.

    python examples/pretrained.py --model=coded_8_240 --out=pretrained.png

The picture has random images of the model in its first row. Below are their reconstructions from the whole posterior, from
the 8 bits of the most probable word alone, and from that word with its first bit flipped.
"""

import argparse

import numpy as np

import tfcoded
from tfcoded.pictures import sheet

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument(
    "--model", default="coded_8_240", help="an entry of the zoo with weights, or the folder of a SavedModel"
)
parser.add_argument("--count", type=int, default=10, help="number of images")
parser.add_argument("--out", default="pretrained.png", help="the picture to write")
arguments = parser.parse_args()

model = tfcoded.load(arguments.model)
images = model.generate(arguments.count, seed=[0, 1])["images"]  # float32 [count, height, width, channels]
code = model.encode(images)
bits = np.array(code["bits"])  # int32 [count, M], the most probable words
flipped = np.concatenate([1 - bits[:, :1], bits[:, 1:]], axis=1)
rows = {
    "images": images,
    "reconstructed": model.reconstruct(images, seed=[0, 2])["images"],
    "from the word": model.decode(bits, seed=[0, 3])["images"],
    "first bit flipped": model.decode(flipped, seed=[0, 3])["images"],
}
sheet(np.concatenate(list(rows.values())), arguments.count, arguments.out, row_titles=list(rows))
for word, entropy in zip(bits, np.array(code["entropy"]), strict=True):
    print("".join(map(str, word)), f"{entropy:.2f} bits of uncertainty")
print(arguments.out)
