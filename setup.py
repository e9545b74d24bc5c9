"""What pyproject.toml cannot say: the zoo's configurations and classifiers go into the wheel."""

import pathlib
import shutil

from setuptools import setup
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


setup(cmdclass={"build_py": BuildWithZoo, "sdist": SourceWithZoo})
