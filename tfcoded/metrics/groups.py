"""The groups of metrics of this package: how each is measured, its options, and what its metrics are called.

The order is that of help texts. TensorFlow is imported by the functions that measure.
"""

from tfcoded.metrics.registry import CHANNEL_DRAWS, Measured, Option, register
from tfcoded.utils.errors import UserError

_HARD = "log_likelihood_hard"
_PUBLISHED_SAMPLES = 300
_COMPONENTS = 100  # training images in the proposal of the likelihood
_CALIBRATION_RUNS = 10  # its bins need no more; each run costs as much as one of the error rates

RUNS = Option("runs", 50, "Runs of the bit and word error rates.", least=1)
WORDS = Option("words", 1000, "Words in each run.", least=1)
DRAWS = Option("draws", CHANNEL_DRAWS, "Draws of a channel's noise for every image.", least=1)
OMEGA = Option("likelihood_omega", 0.5, "Weight of the image's own posterior.", least=0, most=1)
LIKELIHOOD = (
    Option("likelihood_images", 1000, "Images whose likelihood is measured.", least=1),
    Option(
        "likelihood_samples",
        None,
        "Importance samples per image; default: 300 as in the paper, none of an uncoded model whose words are enumerated.",
        least=10,
    ),
    Option("likelihood_draws", 64, "Draws of z for each word that is enumerated.", least=2),
    Option(
        "likelihood_space",
        "z",
        "Where the proposal lives, see metrics/likelihood/log_likelihood.py.",
        choices=("z", "pi"),
    ),
    Option("likelihood_prior", "fitted", "Beta prior of the bit probabilities.", choices=("fitted", "jeffreys")),
    OMEGA,
    Option("likelihood_batch", 300, "Samples decoded at a time.", least=1),
)
GENERATED = Option("generated", 10_000, "Images generated for the Frechet distances.", least=2)


def _reconstruction(model):
    from tfcoded.metrics import reconstruction_metrics, word_usage

    measured = reconstruction_metrics(
        model.codec, model.images, model.labels, model.classifier, seed=model.plan.seed
    ) | word_usage(model.codec, model.images)
    return Measured(measured, notes=_missing_accuracy(model, measured))


def _words(model):
    from tfcoded.metrics import transmission

    measured = transmission.word_quality(
        model.codec, model.images, model.labels, model.classifier, seed=model.plan.seed
    )
    return Measured(measured, notes=_missing_accuracy(model, measured))


def _missing_accuracy(model, measured):
    from tfcoded.metrics import protocol

    return protocol.missing_accuracy(measured, model.config.dataset, model.labels, model.classifier)


def _errors(model):
    from tfcoded.metrics import error_metrics

    plan, branches = model.plan, model.config.code.branches
    measured = error_metrics(model.codec, branches, seed=plan.seed, runs=plan.runs, words=plan.words)
    return Measured(measured, {"runs": plan.runs, "words": plan.words})


def _calibration(model):
    from tfcoded.metrics import calibration

    plan, config = model.plan, model.config
    runs = min(plan.runs, _CALIBRATION_RUNS)
    measured, bins = calibration.measure(
        model.codec,
        model.images,
        model.labels,
        model.classifier,
        branches=config.code.branches,
        independent=not config.objective.over_words,
        seed=plan.seed,
        runs=runs,
        words=plan.words,
    )
    return Measured(measured, {"calibration": {"runs": runs, "words": plan.words}}, bins=bins)


def _likelihood(model):
    from tfcoded.metrics.likelihood import log_likelihood

    plan, config = model.plan, model.config
    subset = model.images[: plan.likelihood_images]
    suffix = _likelihood_suffix(plan)
    if suffix and plan.likelihood_samples is None and log_likelihood.enumerated(config):
        raise UserError(
            f"the words of {config.name} are enumerated, and nothing is sampled unless --likelihood_samples says"
            " so; leave out --likelihood_space, --likelihood_prior and --likelihood_omega"
        )
    result = log_likelihood.measure(
        model.codec,
        config,
        model.dataset.train_images,
        subset,
        samples=plan.likelihood_samples,
        draws=plan.likelihood_draws,
        seed=plan.seed,
        space=plan.likelihood_space,
        omega=plan.likelihood_omega,
        components=min(_COMPONENTS, len(model.dataset.train_images)),
        prior=plan.likelihood_prior,
        batch_size=plan.likelihood_batch,
        state=model.scratch,
    )
    names = {name: name if name == _HARD else name + suffix for name in (*result.measured, *result.facts)}
    facts = {names[name]: {"images": len(subset), **described} for name, described in result.facts.items()}
    return Measured({names[name]: value for name, value in result.measured.items()}, {"likelihood": facts})


def _likelihood_signs(plan):
    suffix = _likelihood_suffix(plan)
    return f"effective_sample_size{suffix}", f"log_likelihood{suffix}"


def _likelihood_suffix(plan):
    """What tells a likelihood from the published kind."""
    parts = [str(plan.likelihood_samples)] if plan.likelihood_samples not in (None, _PUBLISHED_SAMPLES) else []
    parts += [f"omega{plan.likelihood_omega:g}"] if plan.likelihood_omega != OMEGA.default else []
    parts += [plan.likelihood_space] if plan.likelihood_space != "z" else []
    parts += [plan.likelihood_prior] if plan.likelihood_prior != "fitted" else []
    return "".join(f"_{part}" for part in parts)


def _frechet(model):
    from tfcoded.metrics import frechet
    from tfcoded.utils import cache

    plan = model.plan
    measured = frechet.measure(
        model.codec,
        model.config,
        model.images,
        generated=plan.generated,
        seed=plan.seed,
        weights=plan.inception,
        classifier=model.classifier,
        folder=cache.statistics(),
    )
    missing = [] if measured else [f"no Frechet distance: the zoo has no classifier for {model.config.dataset}"]
    return Measured(measured, {"generated": plan.generated}, missing)


def _communication(model):
    from tfcoded.metrics import communication

    plan = model.plan
    measured = communication.measure(model.codec, model.config, model.images, seed=plan.seed, draws=plan.draws)
    return Measured(measured, {"draws": plan.draws}, communication.notes(model.config))


register(
    "reconstruction",
    _reconstruction,
    default=True,
    signs=("psnr",),
    labels={
        "psnr": "PSNR, dB",
        "ssim": "SSIM",
        "entropy": "posterior entropy, bits",
        "elbo": "ELBO, nats",
        "kl": "KL divergence, nats",
        "reconstruction": "E log p(x given z), nats",
        "accuracy": "semantic accuracy",
        "confident_accuracy": "semantic accuracy where the word is likelier than 0.4",
        "confident_fraction": "images whose word is likelier than 0.4",
        "words_used": "words that are the likeliest of some image",
        "usage_entropy": "entropy of the frequencies of these words, bits",
    },
)
register(
    "words",
    _words,
    default=True,
    signs=("psnr_words",),
    labels={
        "psnr_words": "PSNR of the likeliest word's image, dB",
        "ssim_words": "SSIM of the likeliest word's image",
        "accuracy_words": "semantic accuracy of the likeliest word's image",
    },
)
register(
    "errors",
    _errors,
    default=True,
    options=(RUNS, WORDS),
    signs=("ber",),
    labels={
        "ber": "bit error rate, words drawn",
        "wer": "word error rate, words drawn",
        "ber_map": "bit error rate, likeliest words",
        "wer_map": "word error rate, likeliest words",
    },
)
register("calibration", _calibration, default=True, options=(RUNS, WORDS), signs=("ece_words",), reliability=True)
register(
    "likelihood",
    _likelihood,
    options=LIKELIHOOD,
    signs=_likelihood_signs,
    first=True,
    labels={
        "effective_sample_size": "effective sample size of the log-likelihood, median",
        "log_likelihood": "log-likelihood, nats",
        "log_likelihood_hard": "log-likelihood by enumeration of the words, nats",
    },
)
register(
    "frechet",
    _frechet,
    needs=("inception",),
    options=(GENERATED,),
    signs=("fid", "classifier_frechet_distance"),
    first=True,
    labels={"fid": "FID"},
)
register(
    "communication",
    _communication,
    family="communication_system",
    default=True,
    options=(DRAWS,),
    signs=("mse",),
    labels={
        "mse": "mean squared error",
        "psnr": "PSNR of the mean squared error, dB",
        "mse_bands_{}": "mean squared error, {} bands received",
        "rate": "rate: divergence from the prior, bits per image",
        "transmission_rate": "bound of I(Y; Z), bits per image",
        "source_rate": "bound of I(X; Z), bits per image",
        "capacity_used": "bound of I(X; Z) as a part of the capacity",
        "power": "power sent, per symbol",
        "ber": "bits that arrive flipped",
        "erased": "bits that do not arrive",
    },
)
