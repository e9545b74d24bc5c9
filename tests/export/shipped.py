"""A tiny training that becomes a zoo entry, for the tests of what is shipped."""

import json
import os
import pathlib

import commands
import pytest
import tiny_networks

from tfcoded import config

ROOT = pathlib.Path(__file__).resolve().parents[2]
EPOCHS = 2


def run(module, *arguments, prepare=None):
    """Runs a command line in the clone, without a zoo folder named in the environment."""
    environment = {key: value for key, value in os.environ.items() if key != "TFCODED_ZOO"}
    return commands.run(module, *arguments, env=environment, prepare=prepare)


def run_tiny(module, *arguments, prepare=""):
    """Runs a command line with the tiny networks in place of the published ones, after the Python code `prepare`."""
    return run(module, *arguments, prepare=tiny_networks.PREPARE + prepare)


def training(folder):
    """Writes a zoo folder with the entry `tiny` and a work directory of it; returns both."""
    from tfcoded.models import AdamL2, CodedDVAE
    from tfcoded.runs.checkpoints import Checkpoints

    settings = tiny_networks.settings(folder)
    zoo_dir, workdir = folder / "zoo", folder / "run"
    entry = zoo_dir / "tiny"
    entry.mkdir(parents=True)
    entry_text = config.to_yaml(settings) + "published: {psnr: 18.5, ssim: 0.5}\n"
    (entry / "config.yaml").write_text(entry_text.replace("published: {}\n", ""))
    workdir.mkdir()
    (workdir / "config.yaml").write_text(config.to_yaml(config.override(settings, ["training.epochs=2"])))
    facts = {"seed": 3, "train_images": 40, "dtype_policy": "float32", "replicas": 1}
    (workdir / "run.json").write_text(json.dumps(facts))
    elbo = [-500.0, -480.0, 0.0]
    history = {"epoch": [1, 2, 3], "elbo": elbo, "val_elbo": elbo, "seconds": [1800.0, 1800.0, 9.0]}
    (workdir / "history.json").write_text(json.dumps(history))
    (workdir / "metrics.json").write_text(json.dumps({"epochs": EPOCHS, "hardware": "a GPU", "metrics": {}}))
    with pytest.MonkeyPatch.context() as patch:
        tiny_networks.replace_networks(patch)
        model = CodedDVAE.from_configuration(settings, seed=3)
        model.encoder.head.kernel.assign(30 * model.encoder.head.kernel)  # probabilities away from 1/2
        optimizer = AdamL2(1e-4)
        optimizer.build(model.trainable_variables)
        Checkpoints(workdir, model, optimizer).save(EPOCHS)
    return zoo_dir, workdir
