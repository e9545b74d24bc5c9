"""Coded-DVAEs, as commands see them."""

from tfcoded.families.family import Family
from tfcoded.utils.errors import UserError

_HARD = "log_likelihood_hard"
_PUBLISHED_SAMPLES = 300
_DRAWS = 4  # of z for each word, where two models are compared with the same ones
_COMPONENTS = 100  # training images in the proposal of the likelihood
_CALIBRATION_RUNS = 10  # its bins need no more; each run costs as much as one of the error rates


class CodedDVAEFamily(Family):
    """Discrete autoencoders with an error-correcting code: `tfcoded.config.Config`, `tfcoded.models.CodedDVAE`."""

    name = "coded_dvae"
    noun = "a Coded-DVAE"
    methods = (
        "encode",
        "code_logits",
        "draw",
        "decode",
        "reconstruct",
        "generate",
        "elbo",
        "log_likelihood",
        "log_likelihoods",
        "configuration",
    )
    metrics = ("reconstruction", "words", "errors", "calibration", "likelihood", "frechet")
    default_metrics = metrics[:4]
    example = "model.encode(images)"
    flags = (
        "over",
        "runs",
        "words",
        "likelihood_images",
        "likelihood_samples",
        "likelihood_draws",
        "likelihood_space",
        "likelihood_prior",
        "likelihood_omega",
        "likelihood_batch",
        "generated",
        "inception",
        "classifier",
    )
    compensated = True

    def module(self, model, config, storage="float32", images=None):
        """See `Family.module`."""
        from tfcoded.codec.coded_dvae import CodedDVAEModule

        return CodedDVAEModule(model, config, storage, images)

    def describe(self, config):
        """See `Family.describe`."""
        code, objective = config.code, config.objective
        return (
            f"{code.kind} code, {config.information_bits} information bits in {config.code_bits} code bits, "
            f"objective {objective.kind} with {objective.samples} sample(s)"
        )

    def signs(self, plan):
        """See `Family.signs`."""
        suffix = _likelihood_suffix(plan)
        signs = {
            "reconstruction": ("psnr",),
            "words": ("psnr_words",),
            "errors": ("ber",),
            "calibration": ("ece_words",),
            "likelihood": (f"effective_sample_size{suffix}", f"log_likelihood{suffix}"),
            "frechet": ("fid", "classifier_frechet_distance"),
        }
        return dict.fromkeys(name for group in plan.metrics for name in signs[group])

    def measure(self, codec, config, dataset, classifier, plan, scratch=None):
        """See `Family.measure`."""
        from tfcoded.metrics import (
            calibration,
            error_metrics,
            frechet,
            protocol,
            reconstruction_metrics,
            transmission,
            word_usage,
        )
        from tfcoded.metrics.likelihood import log_likelihood
        from tfcoded.utils import cache

        pictures, labels = plan.chosen(dataset)
        branches = config.code.branches
        measured, facts, notes, bins = {}, {}, [], {}

        # What may be refused comes first.
        if "likelihood" in plan.metrics:
            subset = pictures[: plan.likelihood_images]
            suffix = _likelihood_suffix(plan)
            if suffix and plan.likelihood_samples is None and log_likelihood.enumerated(config):
                raise UserError(
                    f"the words of {config.name} are enumerated, and nothing is sampled unless --likelihood_samples says"
                    " so; leave out --likelihood_space, --likelihood_prior and --likelihood_omega"
                )
            result = log_likelihood.measure(
                codec,
                config,
                dataset.train_images,
                subset,
                samples=plan.likelihood_samples,
                draws=plan.likelihood_draws,
                seed=plan.seed,
                space=plan.likelihood_space,
                omega=plan.likelihood_omega,
                components=min(_COMPONENTS, len(dataset.train_images)),
                prior=plan.likelihood_prior,
                batch_size=plan.likelihood_batch,
                state=scratch,
            )
            names = {name: name if name == _HARD else name + suffix for name in (*result.measured, *result.facts)}
            measured |= {names[name]: value for name, value in result.measured.items()}
            facts["likelihood"] = {
                names[name]: {"images": len(subset), **described} for name, described in result.facts.items()
            }
        if "frechet" in plan.metrics:
            distances = frechet.measure(
                codec,
                config,
                pictures,
                generated=plan.generated,
                seed=plan.seed,
                weights=plan.inception,
                classifier=classifier,
                folder=cache.statistics(),
            )
            measured |= distances
            facts["generated"] = plan.generated
            notes += [] if distances else [f"no Frechet distance: the zoo has no classifier for {config.dataset}"]
        if "reconstruction" in plan.metrics:
            measured |= reconstruction_metrics(codec, pictures, labels, classifier, seed=plan.seed)
            measured |= word_usage(codec, pictures)
        if "words" in plan.metrics:
            measured |= transmission.word_quality(codec, pictures, labels, classifier, seed=plan.seed)
        if "reconstruction" in plan.metrics or "words" in plan.metrics:
            notes += protocol.missing_accuracy(measured, config.dataset, labels, classifier)
        if "errors" in plan.metrics:
            measured |= error_metrics(codec, branches, seed=plan.seed, runs=plan.runs, words=plan.words)
            facts |= {"runs": plan.runs, "words": plan.words}
        if "calibration" in plan.metrics:
            runs = min(plan.runs, _CALIBRATION_RUNS)
            found, bins = calibration.measure(
                codec,
                pictures,
                labels,
                classifier,
                branches=branches,
                independent=not config.objective.over_words,
                seed=plan.seed,
                runs=runs,
                words=plan.words,
            )
            measured |= found
            facts["calibration"] = {"runs": runs, "words": plan.words}
        return measured, facts, notes, bins

    def samples(self, codec, config, images, labels, classifier, plan):
        """See `Family.samples`."""
        from tfcoded.codes import DECODED_BITS
        from tfcoded.metrics.likelihood.hard_likelihood import hard_log_likelihood
        from tfcoded.metrics.protocol import error_samples, reconstruction_samples

        samples = reconstruction_samples(codec, images, labels, classifier, seed=plan.seed)
        branches = config.code.branches
        samples |= error_samples(codec, branches, seed=plan.seed, runs=plan.runs, words=plan.words)
        if config.information_bits <= DECODED_BITS:
            subset = images[: plan.likelihood_images]
            samples["log_likelihood_hard"] = hard_log_likelihood(codec, config, subset, seed=plan.seed, draws=_DRAWS)
        return samples

    def draw(self, codec, config, images, out, *, rows, columns, seed, reconstructions=True, words=None):
        """See `Family.draw`."""
        from tfcoded.pictures import of_models

        written = [of_models.samples(codec, config.name, out, rows, columns, seed)]
        if reconstructions:
            written.append(of_models.reconstructions(codec, config.name, images, out, rows, columns, seed))
        if reconstructions and words is not None:
            written.append(of_models.words(codec, config, images, out, rows, words, seed))
        branches = config.code.branches
        if len(branches) > 1:
            written.append(of_models.first_branch_fixed(codec, config.name, branches, out, rows, columns, seed))
        return written

    def golden_inputs(self, codec, config, images, seed):
        """See `Family.golden_inputs`: the `words` of the images, every second one changed."""
        import numpy as np

        bits = codec.encode(images)["bits"].numpy()
        # Every second bit of the images' words flipped: words that no image stands for are decoded too.
        odd = np.arange(len(images))[:, np.newaxis] % 2 == 1
        words = np.where(odd, bits ^ (np.arange(bits.shape[1]) % 2), bits)
        return {"words": words.astype(np.int32)}

    def golden_outputs(self, codec, inputs):
        """See `Family.golden_outputs`."""
        images, words, seed = (inputs[name] for name in ("images", "words", "seed"))
        return {
            "encode": codec.encode(images),
            "decode": codec.decode(words, seed),
            "reconstruct": codec.reconstruct(images, seed),
            "elbo": codec.elbo(images, seed),
        }

    def signatures(self, config):
        """See `Family.signatures`."""
        bits = ("int32", (None, config.information_bits))
        z = ("float32", (None, config.code_bits))
        pixels = ("float32", (None, *config.network.image_shape))
        rows, seed = ("float32", (None,)), ("int32", (2,))
        kl_branches = ("float32", (None, len(config.code.branches)))
        of_images = {
            "encode": (
                {},
                {
                    "bit_probabilities": ("float32", (None, config.information_bits)),
                    "bits": bits,
                    "word_probability": rows,
                    "entropy": rows,
                },
            ),
            "code_logits": ({}, {"logits": z}),
            "draw": ({"seed": seed}, {"bits": bits, "most_probable_bits": bits}),
            "reconstruct": ({"seed": seed}, {"images": pixels}),
            "elbo": (
                {"seed": seed},
                {"elbo": rows, "kl": rows, "reconstruction": rows, "kl_branches": kl_branches},
            ),
            "log_likelihood": ({"z": z}, {"log_likelihood": rows}),
            "log_likelihoods": ({"z": z}, {"log_likelihood": ("float32", (None, None))}),
        }
        expected = {
            "decode": ({"bits": bits, "seed": seed}, {"images": pixels}),
            "generate": ({"n": ("int32", ()), "seed": seed}, {"images": pixels, "bits": bits}),
        }
        for suffix, dtype in (("", "uint8"), ("_float", "float32")):
            for method, (inputs, outputs) in of_images.items():
                images = (dtype, (None, *config.network.image_shape))
                expected[method + suffix] = ({"images": images, **inputs}, outputs)
        expected["serving_default"] = expected["encode"]
        return expected


def _likelihood_suffix(plan):
    """What tells a likelihood from the published kind."""
    parts = [str(plan.likelihood_samples)] if plan.likelihood_samples not in (None, _PUBLISHED_SAMPLES) else []
    parts += [f"omega{plan.likelihood_omega:g}"] if plan.likelihood_omega != type(plan).likelihood_omega else []
    parts += [plan.likelihood_space] if plan.likelihood_space != "z" else []
    parts += [plan.likelihood_prior] if plan.likelihood_prior != "fitted" else []
    return "".join(f"_{part}" for part in parts)
