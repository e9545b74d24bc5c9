"""The 21 tables of the Coded-DVAE paper: the zoo's entries in their rows, the metrics in their columns.

The numbers are not here. What the paper reports stands in each entry's configuration, what was measured here
in its metrics.json; `tfcoded.evaluation.tables` puts them together.

#### References
Martinez-Garcia, Villacres, Mitchell, Olmos, "Improved Variational Inference in Discrete VAEs using Error
Correcting Codes", 2025, appendices D to K.
"""

from typing import NamedTuple


class PaperTable(NamedTuple):
    """One table of the paper.

    Attributes:
      title: `str`, its caption.
      rows: tuple of `(label, entry)`: what the paper calls the row, and its name in the zoo.
      columns: tuple of `(metric, heading)`: the name of a metric in configurations, and the paper's heading.
      label: `str`, heading of the labels.
    """

    title: str
    rows: tuple
    columns: tuple
    label: str = "Model"


_QUALITY = {"psnr": "PSNR", "ssim": "SSIM", "accuracy": "Acc", "confident_accuracy": "Conf. Acc."}
_ERRORS = (("ber", "BER"), ("ber_map", "BER MAP"), ("wer", "WER"), ("wer_map", "WER MAP"))
_BER_WER = (("ber", "BER"), ("wer", "WER"))
_ENTROPY = (("entropy", "Entropy"),)
_LIKELIHOOD = (("log_likelihood_train", "LL (train)"), ("log_likelihood", "LL (test)"))


def _train_and_test(*metrics):
    """Columns of the metrics on the training images, then on the test images."""
    train = tuple((f"{metric}_train", f"{_QUALITY[metric]} (train)") for metric in metrics)
    return train + tuple((metric, f"{_QUALITY[metric]} (test)") for metric in metrics)


def _codes(bits, repetitions, suffix=""):
    """Rows of the uncoded model and the repetition codes of every number of information bits."""
    rows = []
    for m in bits:
        rows.append((f"uncoded {m}", f"uncoded_{m}{suffix}"))
        for code_bits in (m * length for length in repetitions):
            rows.append((f"coded {m}/{code_bits}", f"coded_{m}_{code_bits}{suffix}"))
    return tuple(rows)


def _grey(suffix=""):
    # With 5 bits the paper has 5/80 where 10 and 20 repetitions of the others have no counterpart.
    five = (("uncoded 5", f"uncoded_5{suffix}"),)
    five += tuple((f"coded 5/{d}", f"coded_5_{d}{suffix}") for d in (50, 80, 100))
    return five + _codes((8, 10), (10, 20, 30), suffix)


def _colour(first, dataset, suffix):
    """Two tables, numbered from `first`, on one data set: reconstruction, and error rates with the FID."""
    rows = _codes((70, 100, 130), (10, 20, 30), suffix)
    about = f"in {dataset} with different model configurations"
    errors = (*_ERRORS, ("fid", "FID"))
    return {
        first: PaperTable(f"Reconstruction metrics {about}", rows, _train_and_test("psnr", "ssim")),
        first + 1: PaperTable(f"Evaluation of the BER, WER, and FID {about}", rows, errors),
    }


def _betas(entry):
    return tuple((str(beta), entry if beta == 15 else f"{entry}_beta_{beta}") for beta in (5, 10, 15, 20))


def _iwae():
    rows = [("uncoded 8", "uncoded_8")]
    rows += [(f"uncoded 8 IWAE {n} samples", f"uncoded_8_iwae_{n}") for n in (10, 20, 30, 100)]
    for note, kind in (("", "vriwae"), ("DR, ", "vriwae_dr")):
        rows += [(f"uncoded 8 IWAE ({note}α = 0.5, {n} samples)", f"uncoded_8_{kind}_{n}") for n in (10, 20, 30)]
    rows += [(f"coded 8/{d}", f"coded_8_{d}") for d in (80, 160, 240)]
    return tuple(rows)


def _adjusted(word):
    return (
        ("uncoded 8", "uncoded_8"),
        (f"uncoded 8 {word}", "uncoded_8_adjusted"),
        ("coded 8/240", "coded_8_240"),
        (f"coded 8/240 {word}", "coded_8_240_adjusted"),
    )


def _ablation(first, about, rows, label="Model"):
    """Three tables, numbered from `first`, on the same models: reconstruction, error rates, likelihood."""
    about = f"in FMNIST {about}"
    quality = _train_and_test("psnr", "accuracy", "confident_accuracy") + _ENTROPY
    return {
        first: PaperTable(f"Evaluation of reconstruction performance {about}", rows, quality, label),
        first + 1: PaperTable(f"Evaluation of the BER and WER {about}", rows, _BER_WER, label),
        first + 2: PaperTable(f"Evaluation of the log-likelihood (LL) {about}", rows, _LIKELIHOOD, label),
    }


_HIERARCHICAL = (("hier. 5/50", "hier_5_50"), ("hier. 5/100", "hier_5_100"))
_OF_BETA = "with different values of β using "

TABLES = {
    1: PaperTable("Evaluation of reconstruction performance in FMNIST", _grey(), _train_and_test(*_QUALITY)),
    2: PaperTable(
        "Evaluation of reconstruction performance in MNIST",
        _grey("_mnist"),
        _train_and_test(*_QUALITY) + _ENTROPY,
    ),
    3: PaperTable("Evaluation of the BER, WER in MNIST", _grey("_mnist"), _ERRORS),
    4: PaperTable("Evaluation of the LL in MNIST", _grey("_mnist"), _LIKELIHOOD),
    **_colour(5, "CIFAR10", "_cifar10"),
    **_colour(7, "Tiny ImageNet", "_tiny_imagenet"),
    9: PaperTable(
        "Comparison of test metrics between our method and the uncoded DVAE trained with the IWAE objective",
        _iwae(),
        (
            *_BER_WER,
            *_ENTROPY,
            ("accuracy", "Acc."),
            ("confident_accuracy", "Conf. Acc."),
            ("psnr", "PSNR"),
            ("ssim", "SSIM"),
        ),
    ),
    10: PaperTable(
        "Comparison of the obtained metrics for the Coded-DVAE with polar codes with different "
        "configurations, which we refer to as 'hierarchical Coded-DVAE'",
        _HIERARCHICAL,
        (*_BER_WER, ("accuracy", "Acc"), ("confident_accuracy", "Conf. Acc"), ("psnr", "PSNR")),
    ),
    11: PaperTable(
        "Comparison of the obtained error metrics in the different hierarchy levels",
        _HIERARCHICAL,
        (("ber_m1", "BER m_1"), ("wer_m1", "WER m_1"), ("ber_m2", "BER m_2"), ("wer_m2", "WER m_2")),
    ),
    **_ablation(12, _OF_BETA + "the coded model with an 8/240 code", _betas("coded_8_240"), "β"),
    **_ablation(15, _OF_BETA + "an uncoded model 8 information bits", _betas("uncoded_8"), "β"),
    18: PaperTable(
        "Parameter count",
        _adjusted("adjusted"),
        (("encoder_parameters", "# encoder parameters"), ("decoder_parameters", "# decoder parameters")),
    ),
    **_ablation(19, "with the adjusted parameter count", _adjusted("adj.")),
}
