"""Coded-DVAEs, as commands see them."""

from tfcoded.families.family import Family


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
    example = "model.encode(images)"
    own_flags = ("over", "inception", "classifier")
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
            samples["log_likelihood_hard"] = hard_log_likelihood(codec, config, subset, seed=plan.seed)
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
