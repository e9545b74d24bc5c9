"""The README.md of a zoo entry, from its configuration and what was measured of its SavedModel.

A card holds nothing that is not in `config.yaml`, `metrics.json`, `metrics_train.json` and the names of the
pictures beside them, so it can be written again at any time. TensorFlow is not imported.
"""

import pathlib

from tfcoded import config as configuration
from tfcoded import tables, zoo
from tfcoded.files import write_atomically
from tfcoded.measurement import published_on

PICTURES = {
    "reconstructions.png": "Test images, each above its reconstruction.",
    "samples.png": "Images of random words.",
    "m1_fixed.png": "The first branch's word fixed in each row, the other branches random.",
    "learning_curves.png": "Training and test images during training.",
    "reliability.png": "Is a stated probability the frequency of being right?",
}

_LABELS = {
    "psnr": "PSNR, dB",
    "ssim": "SSIM",
    "entropy": "posterior entropy, bits",
    "elbo": "ELBO, nats",
    "kl": "KL divergence, nats",
    "reconstruction": "E log p(x given z), nats",
    "accuracy": "semantic accuracy",
    "confident_accuracy": "semantic accuracy where the word is likelier than 0.4",
    "confident_fraction": "images with such a word",
    "ber": "bit error rate, words drawn",
    "wer": "word error rate, words drawn",
    "ber_map": "bit error rate, likeliest words",
    "wer_map": "word error rate, likeliest words",
    "log_likelihood": "log-likelihood, nats",
    "log_likelihood_hard": "log-likelihood by enumeration of the words, nats",
    "fid": "FID",
}

_DATA = {
    "fashion_mnist": (
        "Fashion-MNIST (Zalando Research, <https://github.com/zalandoresearch/fashion-mnist>), under the MIT licence."
    ),
    "mnist": (
        "MNIST (LeCun, Cortes and Burges), usually stated to be under Creative Commons Attribution-ShareAlike 3.0."
    ),
    "cifar10": (
        "CIFAR-10 (Krizhevsky, Nair and Hinton, <https://www.cs.toronto.edu/~kriz/cifar.html>). It has no formal"
        " licence; its page asks those who use it to cite Krizhevsky's report of 2009."
    ),
    "tiny_imagenet": (
        "Tiny ImageNet (Stanford CS231n), a part of ImageNet. It has no licence of its own; ImageNet is offered for"
        " non-commercial research and education."
    ),
}

_STORAGES = {
    "float32": "exactly, as float32",
    "bfloat16": "as bfloat16",
    "int8": "as 8-bit integers with a scale per output channel",
}


def write(folder):
    """Writes the card of an entry.

    Args:
      folder: `str` or path of the entry, which holds `config.yaml` and `metrics.json`.

    Returns:
      `pathlib.Path` of the README.md.

    Raises:
      UserError: if one of the files is missing or damaged.

    Example:

    ```python
    write("zoo/coded_10_300")
    ```
    """
    folder = pathlib.Path(folder)
    config = configuration.load(folder / "config.yaml")
    record = zoo.read_record(folder / "metrics.json")
    train = folder / "metrics_train.json"
    train = zoo.read_record(train) if train.is_file() else None
    pictures = [name for name in PICTURES if (folder / name).is_file()]
    path = folder / "README.md"
    write_atomically(path, card(config, record, train, pictures))
    return path


def card(config, record, train=None, pictures=()):
    """The text of a card.

    Args:
      config: the entry's `tfcoded.config.Config`.
      record: `dict`, a metrics.json as `zoo.read_record` reads it, of the test images.
      train: the same of the training images, or `None`.
      pictures: names of the pictures that are there, of PICTURES.

    Returns:
      `str`, Markdown with a final newline.
    """
    parts = [f"# {config.name}", _introduction(config), _facts(config, record), "## Numbers"]
    parts += [_numbers(config, record)]
    if train:
        parts += [_numbers(config, train)]
    parts += [f"Note: {note}." for note in record.get("notes", ())]
    parts += [
        f"Measured by `{record['command']}` on {record['hardware']}, {record['date']}; versions in metrics.json."
    ]
    parts += [
        f"Added by `{more['command']}` on {more['hardware']}, {more['date']}: {', '.join(more['metrics'])}."
        for more in record.get("additions", ())
    ]
    if pictures:
        parts += ["## Pictures", *(f"{PICTURES[name]}\n\n![{PICTURES[name]}]({name})" for name in pictures)]
    parts += [
        "## Use",
        _use(config),
        "## Training data",
        _data(config, record),
        "## Limits",
        _limits(config, record),
    ]
    return "\n\n".join(parts) + "\n"


def _introduction(config):
    paper = (
        "a configuration of Martinez-Garcia, Villacres, Mitchell and Olmos, [Improved Variational Inference in Discrete"
        " VAEs using Error Correcting Codes](https://arxiv.org/abs/2410.07840) (2025), trained again here"
        if config.published
        else "trained here; there are no published numbers"
    )
    size = "x".join(map(str, config.network.image_shape))
    return (
        f"A discrete variational autoencoder that describes an image of {size} by {config.information_bits} bits;"
        f" {paper}."
    )


def _facts(config, record):
    rows = [
        ("code", _code(config.code)),
        ("bits", f"{config.information_bits} information, {config.code_bits} code, rate {config.rate:.3g}"),
        ("objective", _objective(config.objective)),
        ("data", f"{config.dataset}, images of {'x'.join(map(str, config.network.image_shape))}"),
        ("training", _training(config, record)),
    ]
    if config.parameters:
        parts = ", ".join(f"{part} {count:,}" for part, count in config.parameters.items())
        rows.insert(3, ("parameters", f"{sum(config.parameters.values()):,} ({parts})"))
    rows.append(("stored", f"{_storage(record['storage'])}, {record['bytes'] / 1e6:.1f} MB"))
    return _table(("", ""), rows)


def _code(code):
    pairs = list(zip(code.information_bits, code.code_bits, strict=True))
    if code.kind == "uncoded":
        return "none: every bit is sent once"
    if code.kind == "repetition":
        return f"repetition, every bit {pairs[0][1] // pairs[0][0]} times"
    if code.kind == "random":
        return f"random codebook of {2 ** pairs[0][0]:,} words (seed {code.seed})"
    branches = " and ".join(f"{bits} bits in {sent}" for bits, sent in pairs)
    polar = "; each later branch carries its bits xor those of the branch before" if code.polar else ""
    return f"hierarchical, branches of {branches}{polar}"


def _objective(objective):
    samples = "1 sample" if objective.samples == 1 else f"{objective.samples} samples"
    names = {"elbo": "ELBO", "iwae": "IWAE", "vriwae": f"VR-IWAE of order {objective.alpha:g}"}
    name = names.get(objective.kind, "ELBO over codewords, REINFORCE with a leave-one-out baseline")
    doubly = ", doubly reparameterized" if objective.doubly_reparameterised else ""
    return f"{name}, {samples}{doubly}"


def _training(config, record):
    training = record.get("training", {})
    text = f"{record.get('epochs', '?')} of {config.training.epochs} epochs"
    if "seed" in training:
        text += f", seed {training['seed']}"
    if training.get("dtype_policy"):
        text += f", {training['dtype_policy']}"
    if training.get("device"):
        text += f", on {training['device']}"
    if training.get("seconds"):
        text += f", {training['seconds'] / 3600:.1f} hours"
    return text


def _storage(storage):
    if storage in _STORAGES:
        return _STORAGES[storage]
    return f"as {storage.removeprefix('int')}-bit integers with a scale per 64 numbers"


def _numbers(config, record):
    """The table of one split."""
    published = published_on(config.published, record["split"])
    measured = record["metrics"]
    names = sorted({**measured, **published}, key=lambda name: name not in published)  # the paper's first
    rows = [
        (
            _LABELS.get(name, f"`{name}`"),
            tables.formatted(measured[name]) if name in measured else "-",
            tables.formatted(zoo.Measurement(published[name], None)) if name in published else "-",
        )
        for name in names
    ]
    columns = 3 if published else 2
    rows = [row[:columns] for row in rows]
    heading = (
        f"On {record['images']:,} {'test' if record['split'] == 'test' else 'training'} images, of this very SavedModel,"
        " ± one standard error of the measurement."
    )
    headings = ("", f"here, {_epochs(record.get('epochs'))}", f"paper, {_epochs(config.training.epochs)}")
    return f"{heading}\n\n{_table(headings[:columns], rows)}"


def _epochs(count):
    return "1 epoch" if count == 1 else f"{'?' if count is None else count} epochs"


def _table(headings, rows):
    lines = [f"| {' | '.join(headings)} |", f"|{'|'.join(' --- ' for _ in headings)}|"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def _use(config):
    name, shape = config.name, ", ".join(map(str, config.network.image_shape))
    return f"""```python
from tfcoded import zoo

model = zoo.load("{name}")  # compares the files with zoo/SHA256SUMS
```

or, where there is TensorFlow and nothing else,

```python
import tensorflow as tf

model = tf.saved_model.load("zoo/{name}/1")
images = tf.zeros([5, {shape}], tf.uint8)  # or float32 in [0, 1]; any number of images
bits = model.encode(images)["bits"]  # int32 [5, {config.information_bits}]
pictures = model.decode(bits, [1, 2])["images"]  # float32 in [0, 1]; [1, 2] is the seed
```

The folder is a base path of TensorFlow Serving:

```bash
docker run -p 8501:8501 -v "$PWD/zoo/{name}:/models/{name}" -e MODEL_NAME={name} tensorflow/serving
```"""


def _data(config, record):
    count = record.get("training", {}).get("train_images")
    used = f" Its {count:,} training images were used; no test image was." if count else ""
    return _DATA.get(config.dataset, f"`{config.dataset}`; its licence is not known here.") + used


def _limits(config, record):
    epochs, planned = record.get("epochs"), config.training.epochs
    measured = record["metrics"]
    limits = []
    if epochs is not None and epochs < planned:
        limits.append(
            f"Trained for {epochs} of {planned} epochs. The published numbers belong to {planned} epochs: they stand"
            " beside to show the distance, not as a reproduction."
        )
    limits.append("Trained once: how much the numbers vary from seed to seed is not known.")
    if not any(name.startswith("ece_") for name in measured):
        limits.append("Whether the probabilities of bits and words are calibrated was not measured.")
    else:
        limits.append(
            "The probabilities of bits and words are as calibrated as the `ece_` rows say, on images of this data set."
        )
    missing = [name for name in published_on(config.published, "test") if name not in measured]
    if missing:
        limits.append(f"Published, but not measured here: {', '.join(missing)}.")
    if record["storage"] != "float32":
        limits.append(
            f"The weights are rounded ({_storage(record['storage'])}): good for use, not for training further."
        )
    if config.likelihood == "bernoulli":
        limits.append(
            "ELBO and log-likelihood take grey levels as targets of a cross-entropy: compare them only with models"
            " that do the same."
        )
    limits.append("Nothing is known about images of another kind than those it was trained on.")
    return "\n".join(f"* {limit}" for limit in limits)
