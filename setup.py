"""Package metadata. `pip install -c constraints.txt .` installs exactly the versions this was tested with."""

import pathlib
import re
import shutil

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py
from setuptools.command.sdist import sdist

ROOT = pathlib.Path(__file__).resolve().parent


class BuildWithZoo(build_py):
    """Puts the zoo's configurations, what was measured and the evaluation classifiers into the wheel, as `tfcoded/_zoo`.

    SavedModels stay out: they are large, and `--zoo_dir` or TFCODED_ZOO name where they are.
    """

    def run(self):
        super().run()
        if self.editable_mode:  # an editable installation finds zoo/ beside the package
            return
        target = pathlib.Path(self.build_lib) / "tfcoded" / "_zoo"
        shutil.rmtree(target, ignore_errors=True)  # entries of an earlier build that are gone by now
        files = [
            *ROOT.glob("zoo/*/config.yaml"),
            *ROOT.glob("zoo/*/metrics*.json"),
            *ROOT.glob("zoo/classifier_*/**/*"),
        ]
        for source in files:
            unfinished = any(part.startswith(".") for part in source.relative_to(ROOT).parts)
            if source.is_file() and not unfinished:
                copy = target / source.relative_to(ROOT / "zoo")
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, copy)
        write_index(target)


class SourceWithZoo(sdist):
    """Leaves the SavedModels that are left out out of the zoo's index of hashes too."""

    def make_release_tree(self, base_dir, files):
        super().make_release_tree(base_dir, files)
        write_index(pathlib.Path(base_dir) / "zoo")


def write_index(target):
    """Writes the hashes of the classifiers, the only models that are packaged, into a packaged zoo folder."""
    index = ROOT / "zoo" / "SHA256SUMS"
    if index.is_file():
        lines = index.read_text(encoding="utf-8").splitlines(keepends=True)
        copy = target / index.name
        copy.unlink(missing_ok=True)  # sdist makes hard links
        copy.write_text("".join(line for line in lines if "  classifier_" in line), encoding="utf-8")


def version():
    """The version, read without importing the package."""
    text = (ROOT / "tfcoded" / "__init__.py").read_text(encoding="utf-8")
    return re.search(r'^__version__ = "(.+)"$', text, re.MULTILINE).group(1)


def long_description():
    """README.md, which an unpacked source distribution may lack."""
    readme = ROOT / "README.md"
    return readme.read_text(encoding="utf-8") if readme.is_file() else ""


setup(
    name="tfcoded",
    version=version(),
    description="Discrete VAEs with error-correcting codes, and neural communication over noisy channels",
    license="Apache-2.0",
    license_files=["LICENSE"],
    long_description=long_description(),
    long_description_content_type="text/markdown",
    packages=find_packages(include=["tfcoded", "tfcoded.*", "export", "export.*"]),
    cmdclass={"build_py": BuildWithZoo, "sdist": SourceWithZoo},
    python_requires=">=3.11,<3.13",
    classifiers=["Operating System :: POSIX"],
    install_requires=[
        "absl-py>=2",
        "importlib_resources",  # imported, but not declared, by tensorflow-datasets
        "keras>=3.12,<4",
        "lazy_loader>=0.4",
        "matplotlib>=3.8",
        "numpy>=1.26",
        "pillow>=10",
        "PyYAML>=6",
        "requests>=2",
        "setuptools<81",  # tensorflow-hub, under tensorflow-gan, imports pkg_resources
        "tensorboard>=2.20,<2.22",  # writes tf.summary's events; TensorFlow 2.21 no longer requires it
        "tensorflow>=2.20,<2.22",
        "tensorflow-datasets>=4.9.9",
        "tensorflow-gan>=2.1",
        "tensorflow-probability>=0.25,<0.26",
        "tf-keras>=2.20,<2.22",  # tensorflow-probability does not import without it
    ],
    extras_require={
        "test": ["import-linter>=2", "packaging>=23", "pytest>=8", "pytest-xdist>=3.6", "scipy>=1.11"],
        "serving": ["tensorflow-serving-api>=2.20,<2.22"],
        "accelerator": ["tensorflow[and-cuda]>=2.20,<2.22"],
        # For python -m export.pjrt, which needs nothing else of the above. One version: it calls JAX's internals.
        "pjrt": ["jax==0.11.2; python_version >= '3.12'"],
    },
)
