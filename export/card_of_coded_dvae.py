"""What a card says of a Coded-DVAE, see `export.card`."""

from tfcoded.evaluation import tables
from tfcoded.evaluation.measurement import published_on

CAPTIONS = {}


def introduction(config):
    """What it is, in a sentence, `str`."""
    paper = (
        "a configuration of Martinez-Garcia, Villacres, Mitchell and Olmos, [Improved Variational Inference in Discrete"
        " VAEs using Error Correcting Codes](https://arxiv.org/abs/2410.07840) (2025), trained again here"
        if config.published
        else "trained here; there are no published numbers"
    )
    size = "x".join(map(str, config.network.image_shape))
    return (
        f"A discrete variational autoencoder of images of {size} with {config.information_bits} information bits;"
        f" {paper}."
    )


def number(config, metric, measurement):
    """How a measurement is written, `str`."""
    if metric != "words_used":
        return tables.formatted(measurement)
    of = f" of {2**config.information_bits:,}" if config.information_bits <= 20 else ""  # more than images anyway
    return f"{measurement.value:,.0f}{of}"


def facts(config):
    """Rows of the table of facts, pairs of `str`."""
    return [
        ("code", config.code.description),
        ("bits", f"{config.information_bits} information, {config.code_bits} code, rate {config.rate:.3g}"),
        ("objective", config.objective.description),
    ]


def use(config):
    """A program that uses the SavedModel, `str`, without its imports; `model` is what was loaded."""
    shape = ", ".join(map(str, config.network.image_shape))
    return f"""images = tf.zeros([5, {shape}], tf.uint8)  # or float32 in [0, 1]; any number of images
bits = model.encode(images)["bits"]  # int32 [5, {config.information_bits}]
pictures = model.decode(bits, [1, 2])["images"]  # float32 in [0, 1]; [1, 2] is the seed"""


def limits(config, record):
    """What must not be expected of it, `str`s."""
    measured = record["metrics"]
    found = ["The numbers are of one training. A training with another seed or device gives other numbers."]
    if not any(name.startswith("ece_") for name in measured):
        found.append("The calibration of the probabilities of bits and words was not measured.")
    else:
        found.append("Calibration was measured on images of this data set alone.")
    missing = [name for name in published_on(config.published, "test") if name not in measured]
    if missing:
        found.append(f"Published, but not measured here: {', '.join(missing)}.")
    if config.code_bits > config.information_bits and not config.objective.over_words:
        command = f"`python -m tfcoded.evaluate --model={config.name} --metrics=words --out=words.json` measures them"
        told = "the rows of the likeliest word's image measure them" if "psnr_words" in measured else command
        found.append(
            "Reconstructions are made as in the paper, from code bits that are drawn one by one. The mean of a bit's"
            " copies also tells the decoder how sure the bit is. So a reconstruction has more of the image than"
            f" {config.information_bits} bits could hold."
        )
        found.append(f"`decode` is given the bits alone. Its images are further from the original ({told}).")
        found.append("The ELBO charges for the bits alone. With copies it is no lower bound on log p(x).")
    if config.likelihood == "bernoulli":
        found.append(
            "ELBO and log-likelihood take grey levels as targets of a cross-entropy. Compare them with models that do"
            " the same."
        )
    return found
