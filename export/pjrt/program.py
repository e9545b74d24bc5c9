"""Programs of `python -m export.training_program`: reading them, compiling and calling them through PJRT."""

import hashlib
import io
import json
import lzma
import os
import pathlib

import numpy as np

from export.pjrt import philox
from tfcoded.utils.errors import UserError
from tfcoded.utils.files import writable_folder, write_atomically

FORMAT = 2  # of the manifest

# What is read here of a manifest.
_KEYS = (
    "name",
    "epochs",
    "epochs_are_fixed",
    "batch_size",
    "metrics",
    "order_seed",
    "images",
    "weights",
    "initial_weights",
    "programs",
)
_DIGEST_SIZE = hashlib.sha256().digest_size


class Programs:
    """The programs of one model.

    Args:
      folder: `str` or path, `<out>/<name>` of `python -m export.training_program`.

    Attributes:
      folder: `pathlib.Path`.
      manifest: `dict`, the content of manifest.json.
      sha256: `str`, its digest.

    Raises:
      UserError: if the folder holds no programs, or of another format, or if the manifest is damaged.
    """

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        file = self.folder / "manifest.json"
        try:
            content = file.read_bytes()
            self.manifest = json.loads(content)
            found = self.manifest["format"]
        except (FileNotFoundError, ValueError, KeyError, TypeError) as error:
            raise UserError(
                f"{file} is missing or damaged ({error}); expected a folder of python -m export.training_program"
            ) from error
        if found != FORMAT:
            raise UserError(f"{file} is of format {found}, not {FORMAT}; write the programs again with --overwrite")
        missing = [key for key in _KEYS if key not in self.manifest]
        if missing:
            raise UserError(f"{file} lacks {', '.join(missing)}; write the programs again with --overwrite")
        self.sha256 = hashlib.sha256(content).hexdigest()

    def read(self, name):
        """The serialized HLO of a program, `bytes`.

        Args:
          name: `train`, `tail` or `evaluate`.

        Raises:
          UserError: if the program's file is missing or damaged.
        """
        facts = self.manifest["programs"][name]
        file = self.folder / facts["file"]
        try:
            hlo = lzma.decompress(file.read_bytes())
        except (FileNotFoundError, lzma.LZMAError) as error:
            raise UserError(f"{file} is missing or damaged: {error}") from error
        if hashlib.sha256(hlo).hexdigest() != facts["sha256"]:
            raise UserError(
                f"{file} is not the program that the manifest describes; write the programs again with --overwrite"
            )
        return hlo

    def initial_weights(self):
        """The weights before training, a list of `np.float32` arrays in the manifest's order.

        Raises:
          UserError: if the file of those that are neither constant nor uniform is missing or damaged.
        """
        stored = self._stored_weights()
        return [_initial(weight, stored) for weight in self.manifest["weights"]]

    def _stored_weights(self):
        """name -> initial value, of the weights that are read and not drawn."""
        facts = self.manifest["initial_weights"]
        if facts is None:
            return {}
        file = self.folder / facts["file"]
        try:
            content = file.read_bytes()
        except OSError as error:
            raise UserError(f"{file} is missing: {error}") from error
        if hashlib.sha256(content).hexdigest() != facts["sha256"]:
            raise UserError(
                f"{file} is not the one that the manifest describes; write the programs again with --overwrite"
            )
        with np.load(io.BytesIO(content)) as arrays:
            return dict(arrays)


def _initial(weight, stored):
    """The initial value of one weight, as the manifest describes it."""
    facts, shape = weight["initial"], weight["shape"]
    if facts["kind"] == "uniform":
        return philox.uniform(shape, facts["seed"], facts["low"], facts["high"])
    return np.full(shape, facts["value"], np.float32) if facts["kind"] == "constant" else stored[weight["name"]]


class Device:
    """The first device that JAX finds.

    Args:
      cache: folder in which compiled programs are kept for the next process, or `None`.

    Raises:
      UserError: if JAX is missing, or another version whose internals differ, or if the cache cannot be written to.
    """

    def __init__(self, cache=None):
        self._cache = None if cache is None else writable_folder(cache)
        try:
            import jax

            # JAX has no public way to compile a program that it did not trace itself. These are the calls of its own
            # `call_tf` and `jit`, as of the version that pyproject.toml names.
            from jax._src import compiler
            from jax._src.lib import xla_client
        except ImportError as error:
            raise UserError(f"JAX is needed, as pip install '.[pjrt]' installs it: {error}") from error
        self._jax, self._compiler, self._client = jax, compiler, xla_client
        try:
            self._device = jax.devices()[0]
        except RuntimeError as error:
            raise UserError(f"JAX finds no device: {str(error).splitlines()[0]}") from error

    def put(self, array):
        """A NumPy array as an array on the device."""
        return self._jax.device_put(array, self._device)

    def facts(self):
        """`dict` of what the programs run on: device, platform and versions."""
        return {
            "device": self._device.device_kind,
            "platform": self._device.platform,
            "platform_version": self._device.client.platform_version.splitlines()[0],
            "jax": self._jax.__version__,
        }

    def compiled(self, hlo):
        """A program, ready to run.

        Args:
          hlo: `bytes`, see `Programs.read`.

        Returns:
          A function from a list of arrays on the device, in the manifest's order, to a list of them. Inputs that come
          back updated are given up: the results take their memory.
        """
        devices = self._client.DeviceList((self._device,))
        options = self._compiler.get_compile_options(num_replicas=1, num_partitions=1)
        if self._cache is None:
            return self._compile(hlo, devices, options).execute
        settings = "\0".join([os.environ.get("XLA_FLAGS", ""), *self.facts().values()])
        file = self._cache / hashlib.sha256(hlo + settings.encode()).hexdigest()
        content = file.read_bytes() if file.is_file() else b""
        digest, serialized = content[:_DIGEST_SIZE], content[_DIGEST_SIZE:]
        if hashlib.sha256(serialized).digest() == digest:  # it is machine code, which must not run if damaged
            return self._device.client.deserialize_executable(serialized, devices, options).execute
        executable = self._compile(hlo, devices, options)
        serialized = executable.serialize()
        write_atomically(file, hashlib.sha256(serialized).digest() + serialized)
        return executable.execute

    def _compile(self, hlo, devices, options):
        module = self._client._xla.mlir.xla_computation_to_mlir_module(self._client.XlaComputation(hlo))
        return self._device.client.compile_and_load(module, devices, options)
