"""SavedModels in TensorFlow's other loaders."""

import pathlib
import subprocess
import sys

import c_api
import numpy as np
import pytest
import small_models
import tensorflow as tf

from export import STORAGES

SEED = tf.constant([3, 4])


def close(a, b):
    np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("storage", STORAGES)
def test_the_loader_of_tensorflow_serving(storage, compact):
    module, folder = compact[storage]
    settings = small_models.configuration("repetition")
    x = small_models.images(settings, 3)
    server = c_api.Server(folder)
    try:
        for name, inputs in {
            "serving_default": {"images": x},
            "encode_float": {"images": x / 255},
        }.items():
            close(server.predict(name, **inputs)["bit_probabilities"], module.encode(x)["bit_probabilities"])
        drawn = server.predict("generate", n=3, seed=[3, 4])
        np.testing.assert_array_equal(drawn["bits"], module.generate(3, SEED)["bits"])
        close(drawn["images"], module.generate(3, SEED)["images"])
        again = server.predict("generate", n=3, seed=[3, 4])
        np.testing.assert_array_equal(drawn["images"], again["images"])
        for key, value in server.predict("elbo", images=x, seed=[3, 4]).items():
            close(value, module.elbo(x, SEED)[key])
        assert server.predict("encode", images=x[:0])["bits"].shape == (0, 5)
        with pytest.raises(RuntimeError, match="bits must be 0 or 1"):
            server.predict("decode", bits=[[0, 1, 2, 0, 0]], seed=[3, 4])
    finally:
        server.close()


def test_saved_model_cli(compact, tmp_path):
    module, folder = compact["int8"]
    settings = small_models.configuration("repetition")
    x = small_models.images(settings, 2)
    np.save(tmp_path / "x.npy", x)
    program = pathlib.Path(sys.executable).parent / "saved_model_cli"
    command = [program, "run", "--dir", folder, "--tag_set=serve", "--signature_def=encode"]
    command += ["--inputs=images=x.npy", "--outdir=."]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    close(np.load(tmp_path / "bit_probabilities.npy"), module.encode(x)["bit_probabilities"])
