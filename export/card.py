"""The README.md of a zoo entry, from its configuration and what was measured of its SavedModel.

A card holds nothing that is not in `config.yaml`, `metrics.json`, `metrics_train.json` and the names of the
pictures beside them, so it can be written again at any time. TensorFlow is not imported.
"""

import math
import pathlib

from export import card_of_coded_dvae, card_of_system
from tfcoded import config as configuration, families, zoo
from tfcoded.data import DATASETS
from tfcoded.evaluation import tables
from tfcoded.evaluation.measurement import published_on, qualified, remarks
from tfcoded.metrics import registry
from tfcoded.utils import text_tables
from tfcoded.utils.files import write_atomically

PICTURES = {
    "reconstructions.png": "Test images, each above its reconstruction.",
    "samples.png": "Images of random words.",
    "m1_fixed.png": "The first branch's word fixed in each row, the other branches random.",
    "learning_curves.png": "Training and test images during training.",
    "reliability.png": "Is a stated probability the frequency of being right?",
}
_FIRST_PICTURE = "reconstructions.png"
# What is written of an entry beside its version folder; not all of it of each.
FILES = ("metrics.json", "metrics_train.json", "history.json", "golden.npz", "README.md", *PICTURES)

_TEXTS = {"coded_dvae": card_of_coded_dvae, "communication_system": card_of_system}  # by kind

# Metrics of calibration, of what in place of the braces, and what their columns are called.
_CALIBRATION = {
    "ece_{}": "ECE",
    "ece_{}_calibrated": "ECE if calibrated",
    "ece_{}_equal_mass": "ECE, bins of equal counts",
    "ece_{}_equal_mass_calibrated": "the same if calibrated",
    "overconfidence_{}": "confidence less accuracy",
    "brier_{}": "Brier score",
}
_CALIBRATED = {"words": "words", "bits": "bits", "reconstruction": "classes of reconstructions"}
_CALIBRATION_TEXT = (
    "Calibration compares the probability of the likeliest word or bit with how often it is right. ECE is the expected"
    ' calibration error. "If calibrated" is what a perfectly calibrated model would have with as many samples. For'
    " classes, the image of the likeliest word is right if it shows the class of the original; several words may show one"
    " class, so these need not agree with the probabilities."
)

_STORAGES = {
    "float32": "exactly, as float32",
    "bfloat16": "as bfloat16",
    "int8": "as 8-bit integers with a scale per output channel",
    "compensated": "as integers of 2 to 8 bits with a scale per 64 numbers, fitted to training images",
}


def write(folder):
    """Writes the card of an entry.

    Args:
      folder: `str` or path of the entry, which holds `config.yaml` and `metrics.json`.

    Returns:
      `pathlib.Path` of the README.md.

    Raises:
      UserError: if one of the files is missing or damaged.
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
      config: the entry's configuration.
      record: `dict`, a metrics.json as `zoo.read_record` reads it, of the test images.
      train: the same of the training images, or `None`.
      pictures: names of the pictures that are there, of PICTURES.

    Returns:
      `str`, Markdown with a final newline.
    """
    texts = _TEXTS[families.of(config).name]
    shown = {
        name: f"{text}\n\n![{text}]({name})" for name, text in (PICTURES | texts.CAPTIONS).items() if name in pictures
    }
    # What it is, what it does and how it is used come before what it was measured to do.
    parts = [f"# {config.name}", texts.introduction(config)]
    if _FIRST_PICTURE in shown:
        parts.append(shown.pop(_FIRST_PICTURE))
    parts += ["## Use", _use(config, texts), "## Model", _facts(config, record, texts)]
    parts += ["## Numbers", _numbers(config, record, texts)]
    if train:
        parts += [_numbers(config, train, texts)]
    parts += [f"Measured by `{record['command']}` on {record['hardware']}, {record['date']}; versions in metrics.json."]
    parts += [
        f"Added by `{more['command']}` on {more['hardware']}, {more['date']}: {', '.join(more['metrics'])}."
        for more in record.get("additions", ())
    ]
    parts += ["## Limits", _limits(config, record, texts)]
    if shown:
        parts += ["## More pictures", *shown.values()]
    parts += ["## Training data", _data(config, record), "## Licence of the weights", _licence(config)]
    return "\n\n".join(parts) + "\n"


def _facts(config, record, texts):
    rows = texts.facts(config)
    if config.parameters:
        parts = ", ".join(f"{part} {count:,}" for part, count in config.parameters.items())
        rows.append(("parameters", f"{sum(config.parameters.values()):,} ({parts})"))
    images = "" if config.item_shape == (0,) else f", images of {'x'.join(map(str, config.item_shape))}"
    rows += [
        ("data", f"{config.dataset}{images}"),
        ("training", _training(config, record)),
        ("stored", f"{_storage(record['storage'])}, {record['bytes'] / 1e6:.1f} MB"),
    ]
    return text_tables.markdown(("", ""), rows, left=len(rows[0]))


def _training(config, record):
    training = record.get("training", {})
    text = f"{record.get('epochs', '?')} of {config.training.epochs} epochs"
    if "seed" in training:
        text += f", seed {training['seed']}"
    if training.get("initial_weights"):
        text += f", from the weights of `{training['initial_weights']}`"
    if training.get("dtype_policy"):
        text += f", {training['dtype_policy']}"
    if training.get("device"):
        text += f", on {training['device']}"
    if training.get("through"):
        text += f" through `{training['through']}` (weights brought back as {training.get('weights_came_as', '?')})"
    if training.get("seconds"):
        text += f", {_duration(training['seconds'])}"
    return text


def _duration(seconds):
    if seconds < 3600:
        return f"{math.ceil(seconds / 60)} min"
    return f"{seconds / 3600:.1f} hours"


def _storage(storage):
    if storage in _STORAGES:
        return _STORAGES[storage]
    return f"as {storage.removeprefix('int')}-bit integers with a scale per 64 numbers"


def _numbers(config, record, texts):
    """The table of one split and its notes."""
    published = published_on(config.published, record["split"])
    measured = record["metrics"]
    if record["split"] == "train":  # error rates are of no split, and the test images' table has them
        published = {
            name: value for name, value in published.items() if name in measured or not name.startswith(("ber", "wer"))
        }
    calibration, told = _calibration(measured)
    names = [name for name in {**published, **measured} if name not in told]  # the paper's first
    rows = [
        (
            registry.label(families.of(config).name, name) + qualified(record, name),
            texts.number(config, name, measured[name]) if name in measured else "-",
            tables.formatted(zoo.Measurement(published[name], None)) if name in published else "-",
        )
        for name in names
    ]
    columns = 3 if published else 2
    rows = [row[:columns] for row in rows]
    split = "test" if record["split"] == "test" else "training"
    sent = "draws" if config.item_shape == (0,) else f"{split} images"
    heading = f"On {record['images']:,} {sent}, of this very SavedModel, ± one standard error of the measurement."
    headings = ("", f"here, {_epochs(record.get('epochs'))}", f"paper, {_epochs(config.training.epochs)}")
    notes = (f"Note: {note}." for note in remarks(record))
    return "\n\n".join([heading, text_tables.markdown(headings[:columns], rows, left=columns), *calibration, *notes])


def _calibration(measured):
    """Paragraphs about calibration, a list of `str`, and the names of the metrics in them, a set."""
    found, rows = set(), []
    for of, label in _CALIBRATED.items():
        names = [column.format(of) for column in _CALIBRATION]
        if any(name in measured for name in names):
            found.update(names)
            rows.append([label, *(tables.formatted(measured[name]) if name in measured else "-" for name in names)])
    if not rows:
        return [], found
    return [_CALIBRATION_TEXT, text_tables.markdown(["", *_CALIBRATION.values()], rows, left=len(rows[0]))], found


def _epochs(count):
    return "1 epoch" if count == 1 else f"{'?' if count is None else count} epochs"


def _use(config, texts):
    name = config.name
    return f"""```python
import tfcoded

model = tfcoded.load("{name}")  # takes any NumPy array of the right shape
```

With TensorFlow alone:

```python
import tensorflow as tf

model = tf.saved_model.load("zoo/{name}/1")
{texts.use(config)}
```

The folder is a base path of TensorFlow Serving:

```bash
docker run -p 8501:8501 -v "$PWD/zoo/{name}:/models/{name}" -e MODEL_NAME={name} tensorflow/serving
```

This begins a training of your own with these weights:

```bash
cp zoo/{name}/config.yaml mine.yaml  # give it a name of its own; change the data set, the objective, ...
python -m tfcoded.train --config=mine.yaml --initial_weights=zoo/{name}
```"""


def _data(config, record):
    if config.item_shape == (0,):
        return "None: what is sent is drawn."
    count = record.get("training", {}).get("train_images")
    used = f" Its {count:,} training images were used; no test image was." if count else ""
    known = DATASETS.get(config.dataset)
    return (known and known.licence or f"`{config.dataset}`; its licence is not known here.") + used


def _licence(config):
    text = "Apache License 2.0, as this repository (`LICENSE`)"
    return f"{text}." if config.item_shape == (0,) else f"{text}, as far as the terms of the training data allow."


def _limits(config, record, texts):
    epochs, planned = record.get("epochs"), config.training.epochs
    limits = []
    if epochs is not None and epochs < planned:
        limits.append(
            f"Trained for {epochs} of {planned} epochs. The published numbers are of models trained for {planned} epochs."
        )
    limits += texts.limits(config, record)
    if record["storage"] != "float32":
        limits.append(
            f"The weights are rounded ({_storage(record['storage'])}). The optimizer's state is not kept. A training that"
            " begins with these weights is not the one that made them."
        )
    if config.item_shape != (0,):
        limits.append("No images of another kind than those of the training data were tried.")
    return "\n".join(f"* {limit}" for limit in limits)
