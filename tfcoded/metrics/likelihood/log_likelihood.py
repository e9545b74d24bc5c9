"""Log-likelihood of images by importance sampling, in the soft-encoding model of a Coded-DVAE.

**The model.** A softly encoded sample never has equal copies of a bit, so the model that generates whole
codewords gives it no probability. The paper (appendix L) therefore evaluates another one: bit probabilities
from a product of M Beta distributions, copies drawn independently from them, smoothing, decoder.

**The estimator.** With S samples from a proposal r that may depend on x,

```none
log p(x) ~ log 1/S sum_s p(x | z_s) p(z_s) / r(z_s | x)
```

Its exponential is unbiased for p(x). The logarithm is a lower bound in expectation (Jensen), which rises with
S: values of different S are not comparable, and neither are values with different Beta priors. By how much it is
too low is extrapolated and bounded, or the value is called a lower bound (`tfcoded.metrics.monte_carlo`). The
effective sample size `(sum w)^2 / sum w^2` certifies nothing: it only refuses. Where its median is below 10 there is
no value, and values above may be wrong by several nats, because samples that all miss a mode of p(z | x) look
effective.

**What the paper leaves open**, and what is done here:

1. Its proposal is a mixture of the posteriors q(m | x_i) of training images. A posterior is a point in the
   space of bit probabilities and has no density there. In the space "z", the default, a component is the
   softly encoded posterior of z, and the Beta prior is integrated out exactly. In the space "pi" it is a Beta
   distribution around q(x_i), with a concentration that had to be chosen. Both estimate the same number.
2. The posterior of the image itself is a component of weight omega = 1/2, without which 300 samples rarely
   hit the right word of 10 bits. omega = 0 is the paper's text taken literally. The denominator is the
   density of the whole mixture.
3. The parameters of the Beta prior are fitted to the posteriors of the training images, bit by bit
   ("fitted"), or are all 1/2 ("jeffreys").
4. In uncoded models there is one copy of each bit. The Beta prior enters by its mean alone, which is set to the
   1/2 that the model was trained with, so their likelihood is that of the model itself, under hard encoding too. With
   at most 10 bits their words are enumerated, which cannot miss one, and nothing is sampled unless `samples` says so.
5. The likelihood of grey images is a cross-entropy on grey levels and no normalized density: a score,
   comparable between models that share it.

The likelihood under hard encoding, the model that images are generated from, stands beside it where the words
can be enumerated (`tfcoded.metrics.likelihood.hard_likelihood`). Of coded models it takes many draws of z for each word.

**Cost**: S decodings for each image, beside which all else is small, and `draws` * 2^M decodings for all images
together.

#### References

[1] Martinez-Garcia et al., Improved Variational Inference in Discrete VAEs using Error Correcting Codes, UAI
    2025, section 5.1 and appendix L.
[2] Tomczak, Welling. VAE with a VampPrior. AISTATS 2018.
[3] Hesterberg. Weighted Average Importance Sampling and Defensive Mixture Distributions. Technometrics 37,
    1995.
"""

import dataclasses
import hashlib

import numpy as np
import tensorflow as tf

from tfcoded.codes import DECODED_BITS
from tfcoded.metrics import monte_carlo
from tfcoded.metrics.likelihood.beta_prior import clamp, fit_beta
from tfcoded.metrics.likelihood.hard_likelihood import hard_log_weights
from tfcoded.metrics.likelihood.proposals import DefensiveMixture, ProbabilityProposal, SmoothedProposal
from tfcoded.metrics.likelihood.resumable import ResumableRows
from tfcoded.metrics.likelihood.soft_encoding import SoftEncoding, repeated_bits
from tfcoded.metrics.protocol import as_float
from tfcoded.metrics.summary import Estimate
from tfcoded.utils import seeds
from tfcoded.utils.errors import UserError
from tfcoded.utils.progress import Meter

SAMPLES = 300  # of the paper
DRAWS = 64  # of z for each word that is enumerated
SMALLEST_SAMPLE_SIZE = 10.0  # median effective sample size below which there is no estimate
PRIORS = ("fitted", "jeffreys")
SPACES = {"z": SmoothedProposal, "pi": ProbabilityProposal}

_TRIAL = 50  # images after which a hopeless measurement ends early
_ENCODED = 500  # images encoded at a time
# Purposes of random numbers, see tfcoded.metrics.protocol.
_COMPONENTS, _SAMPLES = 102, 103


@dataclasses.dataclass(frozen=True)
class LogLikelihood:
    """What `measure` measured.

    Attributes:
      measured: `dict` from a metric's name to an `Estimate`.
      facts: `dict` from the name of a log-likelihood to a `dict` for the record, of what JSON can write: the arguments
        that decide the value, what `tfcoded.metrics.monte_carlo.summarize` says of it, and of one with a Beta prior its
        parameters `a` and `b`, lists of M `float`; or `note`, a `str`, why there is no value.
    """

    measured: dict[str, Estimate]
    facts: dict[str, dict]


def measure(
    codec,
    config,
    train_images,
    images,
    *,
    samples=None,
    draws=DRAWS,
    seed=0,
    space="z",
    omega=0.5,
    components=100,
    prior="fitted",
    batch_size=300,
    state=None,
):
    """Log-likelihood of images, see the module's docstring.

    | name | what | standard error over |
    | --- | --- | --- |
    | `log_likelihood` | soft encoding, nats per image; absent if the median below is under 10 | images and samples |
    | `effective_sample_size` | median over images, from 1 to `samples`; only where there are samples | |
    | `log_likelihood_hard` | hard encoding, nats per image; at most 10 information bits | images and draws |

    Args:
      codec: the model: `encode(images) -> {"bit_probabilities" [N, M]}`, `log_likelihood(images, z [N, D]) ->
        {"log_likelihood" [N]}`, and, up to 10 information bits, `log_likelihoods(images, z [S, D]) ->
        {"log_likelihood" [N, S]}`. Images are float32 in [0, 1].
      config: its `tfcoded.config.Config`.
      train_images: `[T, h, w, c]`, uint8, or float32 in [0, 1]: the prior is fitted to all of them, and the
        mixture's components are drawn from them.
      images: `[N, h, w, c]`, likewise, to measure.
      samples: `int`, S, at least 10; or `None` for the paper's 300, but for none where `enumerated(config)`.
      draws: `int`, of z for each word that is enumerated, at least 2; a bound of the bias needs 16.
      seed: `int`; the same seed gives the same numbers, whatever the batch size.
      space: "z" or "pi", where the proposal lives.
      omega: `float` in [0, 1], weight of the image's own posterior in the proposal.
      components: `int`, K, number of training images in the mixture; 0 only with `omega=1`.
      prior: "fitted" or "jeffreys", the Beta prior.
      batch_size: `int`, number of z decoded at a time.
      state: `str` or path of a file in which finished images are kept, so that an interrupted measurement
        goes on; or `None`.

    Returns:
      A `LogLikelihood`.

    Raises:
      ValueError: if an argument is out of its range.
      UserError: if `state` is of another measurement; if the code has neither likelihood.

    Example:

    ```python
    result = measure(codec, zoo.config("coded_8_240"), data.train_images, data.test_images[:1000])
    result.measured["log_likelihood"].value, result.facts["log_likelihood"]["bias_at_most"]
    ```
    """
    own = samples is None and enumerated(config)
    samples = SAMPLES if samples is None else samples
    _check(len(train_images), len(images), samples, draws, space, components, prior, batch_size)
    measured, facts = {}, {}
    if not own:
        try:
            branches = repeated_bits(config)
        except UserError as error:
            if config.information_bits > DECODED_BITS:
                raise
            facts["log_likelihood"] = {"note": str(error)}
        else:
            arguments = {
                "samples": samples,
                "space": space,
                "omega": omega,
                "components": components,
                "prior": prior,
            }
            measured, facts["log_likelihood"] = _soft(
                codec, config, branches, train_images, images, arguments, seed, batch_size, state
            )
    if config.information_bits <= DECODED_BITS:
        log_weights = hard_log_weights(codec, config, images, seed=seed, draws=draws, batch_size=batch_size)
        shared = monte_carlo.shared_variance(log_weights)
        value, accuracy = monte_carlo.summarize(monte_carlo.statistics(log_weights), shared)
        found = {"words": 2**config.information_bits, "draws": draws} | accuracy
        for name in ("log_likelihood", "log_likelihood_hard") if own else ("log_likelihood_hard",):
            measured[name], facts[name] = value, found
    return LogLikelihood(measured, facts)


def enumerated(config):
    """`bool`, whether the likelihood of a `tfcoded.config.Config` is that of its words, and these can be enumerated."""
    return not config.code.coded and config.information_bits <= DECODED_BITS


def _soft(codec, config, branches, train_images, images, arguments, seed, batch_size, state):
    """The likelihood under soft encoding: `dict`s of what was measured and of facts, see `LogLikelihood`."""
    samples = arguments["samples"]
    trained = bit_probabilities(codec, train_images)
    a, b = beta_parameters(trained, branches, arguments["prior"])
    chosen = np.sort(_permutation(len(trained), seed)[: arguments["components"]])
    mixture = DefensiveMixture(clamp(trained[chosen]), arguments["omega"])
    proposal = SPACES[arguments["space"]](SoftEncoding(branches, config.beta, a, b), mixture)
    # All that the numbers depend on; of the model, what it makes of the images.
    identity = arguments | {"seed": seed, "model": config.name, "train_images": _digest(train_images)}
    probabilities = bit_probabilities(codec, images)
    # Of the encoder and of the decoder: another model, or other storage of its weights, is another measurement.
    scores = _decoded(codec, as_float(images), np.full([len(images), config.code_bits], 0.5, np.float32), 1, _ENCODED)
    fingerprint = np.column_stack([probabilities, scores])
    results = ResumableRows(state, monte_carlo.COLUMNS, identity, fingerprint)
    _sample(codec, images, clamp(probabilities), proposal, samples, seed, batch_size, results)

    sizes = results.rows[:, 1]
    measured = {"effective_sample_size": Estimate(float(np.median(sizes)), None)}
    facts = arguments | {"a": a.tolist(), "b": b.tolist()}
    if np.median(sizes) >= SMALLEST_SAMPLE_SIZE:
        measured["log_likelihood"], accuracy = monte_carlo.summarize(results.rows)
        return measured, facts | accuracy
    left = len(images) - len(sizes)
    ended = f" (the other {left} were left out: they could hardly change that)" if left else ""
    note = (
        f"no log-likelihood: with {samples} samples the median effective sample size of {len(sizes)} images"
        f" is {np.median(sizes):.1f}, and below {SMALLEST_SAMPLE_SIZE:.0f} the estimate is worthless{ended};"
        " take more samples or a larger omega"
    )
    return measured, facts | {"note": note}


def bit_probabilities(codec, images):
    """Posterior probabilities of the information bits, `[N, h, w, c]` to `np.float32` `[N, M]`."""
    starts = range(0, len(images), _ENCODED)
    batches = (as_float(images[start : start + _ENCODED]) for start in starts)
    return np.concatenate([codec.encode(batch)["bit_probabilities"].numpy() for batch in batches])


def beta_parameters(probabilities, branches, prior):
    """Parameters of the Beta prior of each bit.

    Args:
      probabilities: `[T, M]`, of training images.
      branches: see `tfcoded.metrics.likelihood.soft_encoding.repeated_bits`.
      prior: "fitted" or "jeffreys".

    Returns:
      `(a, b)`, each `np.float64` `[M]`; 1/2 for a bit of one copy, whose prior probability is thereby 1/2.
    """
    half = np.full(probabilities.shape[1], 0.5)
    if prior == "jeffreys":
        return half, half
    once = np.concatenate([np.full(bits, copies == 1) for bits, copies in branches])
    a, b = fit_beta(probabilities)
    return np.where(once, half, a), np.where(once, half, b)


def _sample(codec, images, probabilities, proposal, samples, seed, batch_size, results):
    """Appends `monte_carlo.statistics` of all images that `results`, a `ResumableRows`, lacks."""
    together = max(1, batch_size // samples)  # images whose samples are decoded in one batch
    meter = Meter("log-likelihood", len(images) - len(results.rows))
    resumed = len(results.rows)
    with results:
        for start in range(resumed, len(images), together):
            sizes = results.rows[:, 1]
            if _too_few(sizes, len(images)):
                break
            if start > resumed:
                meter.update(start - resumed, f"effective sample size {np.median(sizes):.0f} of {samples}")
            numbers = range(start, min(start + together, len(images)))
            drawn = [
                proposal.draw(probabilities[n], samples, seeds.derive(seed, seeds.EVALUATE, _SAMPLES, n))
                for n in numbers
            ]
            z, log_ratio = (np.concatenate(parts) for parts in zip(*drawn, strict=True))
            log_likelihood = _decoded(codec, as_float(images[numbers.start : numbers.stop]), z, samples, batch_size)
            results.append(monte_carlo.statistics(np.reshape(log_likelihood + log_ratio, [-1, samples])))
        meter.close()


def _decoded(codec, images, z, samples, batch_size):
    """`log p(x | z)` for `z : [n * samples, D]`, the samples of an image together; `np.float64`."""
    parts = []
    for start in range(0, len(z), batch_size):
        rows = np.arange(start, min(start + batch_size, len(z)))
        repeated = tf.gather(images, rows // samples)
        parts.append(codec.log_likelihood(repeated, tf.constant(z[rows]))["log_likelihood"].numpy())
    return np.concatenate(parts).astype(np.float64)


def _permutation(size, seed):
    """A random order of `size` things."""
    uniform = tf.random.stateless_uniform(
        [size], seeds.derive(seed, seeds.EVALUATE, _COMPONENTS), dtype=tf.float64, alg="philox"
    )
    return np.argsort(uniform.numpy(), kind="stable")


def _digest(images):
    return hashlib.sha256(np.ascontiguousarray(images)).hexdigest()[:16]


def _too_few(sizes, images):
    """Whether to give up: the median effective sample size is too small whatever the images to come, or nearly surely."""
    small = np.sum(sizes < SMALLEST_SAMPLE_SIZE)
    return 2 * small > images or (len(sizes) >= _TRIAL and small > 0.9 * len(sizes))


def _check(train_images, images, samples, draws, space, components, prior, batch_size):
    if images < 1:
        raise ValueError("a log-likelihood needs at least one image, got none")
    if samples < SMALLEST_SAMPLE_SIZE:
        raise ValueError(f"samples must be at least {SMALLEST_SAMPLE_SIZE:.0f}, got {samples}")
    if draws < 2:
        raise ValueError(f"draws must be at least 2, got {draws}")
    if space not in SPACES:
        raise ValueError(f"unknown space {space!r}; expected one of {', '.join(SPACES)}")
    if prior not in PRIORS:
        raise ValueError(f"unknown prior {prior!r}; expected one of {', '.join(PRIORS)}")
    if not 0 <= components <= train_images or train_images < 1:
        raise ValueError(f"components must be from 0 to the {train_images} training images, got {components}")
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, got {batch_size}")
