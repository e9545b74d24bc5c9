"""pyproject.toml, setup.py, MANIFEST.in and constraints.txt: what a wheel carries and what it asks for."""

import email
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys
import tarfile
import zipfile

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import tfcoded
from tfcoded.zoo import checksums

ROOT = pathlib.Path(__file__).resolve().parent.parent
CONFIGURATIONS = {path.relative_to(ROOT).as_posix() for path in ROOT.glob("zoo/*/config.yaml")}
# What a training of a classifier leaves while it is not finished.
UNFINISHED = {f"zoo/classifier_mnist/{name}" for name in (".lock", ".training.npz", ".new.x/new/1/saved_model.pb")}


def run(*arguments, cwd, **environment):
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=cwd,
        env={**{key: value for key, value in os.environ.items() if key != "TFCODED_ZOO"}, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(name="source", scope="module")
def _source(tmp_path_factory):
    """A copy of what is packaged, since building writes into it, with a classifier and weights in its zoo."""
    source = tmp_path_factory.mktemp("source")
    for name in ("setup.py", "pyproject.toml", "MANIFEST.in", "constraints.txt", "LICENSE", "README.md"):
        if (ROOT / name).is_file():
            shutil.copy(ROOT / name, source)
    for name in ("tfcoded", "export"):
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in CONFIGURATIONS:
        (source / name).parent.mkdir(parents=True)
        shutil.copy(ROOT / name, source / name)
    shutil.copy(ROOT / "zoo/coded_10_300/metrics.json", source / "zoo/coded_10_300")
    for name in ("zoo/coded_10_300/1/saved_model.pb", "zoo/classifier_mnist/1/saved_model.pb"):
        (source / name).parent.mkdir(parents=True)
        (source / name).write_bytes(b"weights")
        checksums.update(source / "zoo", name.split("/")[1])
    for name in UNFINISHED:
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes(b"unfinished")
    return source


@pytest.fixture(name="wheel", scope="module")
def _wheel(source, tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    result = run("-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "-w", folder, ".", cwd=source)
    assert result.returncode == 0, result.stderr
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(name="metadata", scope="module")
def _metadata(wheel):
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        return email.message_from_bytes(archive.read(name))


@pytest.fixture(name="installed", scope="module")
def _installed(wheel, tmp_path_factory):
    """The wheel unpacked, outside the clone."""
    folder = tmp_path_factory.mktemp("site")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def table_rows(text):
    """Name -> cells, of the tables that `python -m tfcoded.zoo` prints."""
    lines = [line for table in text.split("\n\n") for line in table.splitlines()[2:]]
    return {line.split()[0]: line.split() for line in lines}


def test_contents_of_the_wheel(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    packaged = {name for name in names if name.endswith("/config.yaml")}
    assert packaged == {f"tfcoded/_{name}" for name in CONFIGURATIONS}
    assert "tfcoded/_zoo/classifier_mnist/1/saved_model.pb" in names
    assert "tfcoded/_zoo/coded_10_300/1/saved_model.pb" not in names
    assert not any(f"tfcoded/_{name}" in names for name in UNFINISHED)
    index = zipfile.ZipFile(wheel).read("tfcoded/_zoo/SHA256SUMS").decode()
    assert index == f"{hashlib.sha256(b'weights').hexdigest()}  classifier_mnist/1/saved_model.pb\n"
    tops = {name.partition("/")[0] for name in names if ".dist-info" not in name}
    assert tops <= {"tfcoded", "export"}
    modules = {str(path.relative_to(ROOT)) for path in ROOT.glob("tfcoded/**/*.py")}
    assert modules <= names, "every folder of modules needs an __init__.py"


def test_zoo_outside_the_clone(installed, tmp_path):
    result = run("-m", "tfcoded.zoo", cwd=tmp_path, PYTHONPATH=str(installed))
    assert (result.returncode, result.stderr) == (0, "")
    listed = table_rows(result.stdout)
    assert len(listed) >= 68
    assert {f"zoo/{name}/config.yaml" for name in listed} == CONFIGURATIONS
    script = (
        "from tfcoded import zoo; print(zoo.__file__); print(zoo.directory()); "
        "print(zoo.config('coded_10_300').code_bits); print(zoo.find('classifier_mnist/1'))"
    )
    lines = run("-c", script, cwd=tmp_path, PYTHONPATH=str(installed)).stdout.splitlines()
    packaged = installed / "tfcoded" / "_zoo"
    classifier = packaged / "classifier_mnist" / "1"
    assert lines == [str(installed / "tfcoded" / "zoo" / "__init__.py"), str(packaged), "300", str(classifier)]


def test_weights_outside_the_clone(installed, tmp_path):
    version = tmp_path / "models" / "coded_10_300" / "1"
    version.mkdir(parents=True)
    (version / "saved_model.pb").write_bytes(b"weights")
    for arguments, environment in (
        (["--zoo_dir=models"], {}),
        ([], {"TFCODED_ZOO": str(tmp_path / "models")}),
    ):
        result = run("-m", "tfcoded.zoo", *arguments, cwd=tmp_path, PYTHONPATH=str(installed), **environment)
        rows = table_rows(result.stdout)
        assert len(rows) == len(CONFIGURATIONS)
        assert [name for name, row in rows.items() if row[-1] != "-"] == ["coded_10_300"]


def test_weights_that_a_wheel_lacks_are_in_a_clone(installed, tmp_path):
    result = run("-m", "tfcoded.evaluate", "--model=coded_10_300", cwd=tmp_path, PYTHONPATH=str(installed))
    assert (result.returncode, result.stdout) == (2, "")
    assert "a clone of tfcoded's repository has them in zoo/coded_10_300; name a folder that holds" in result.stderr


def test_another_zoo_beside_the_installed_package_is_ignored(installed, tmp_path):
    site = tmp_path / "site"
    shutil.copytree(installed, site)
    (site / "zoo" / "stranger").mkdir(parents=True)
    shutil.copy(site / "tfcoded/_zoo/coded_5_50/config.yaml", site / "zoo/stranger")
    result = run("-m", "tfcoded.zoo", cwd=tmp_path, PYTHONPATH=str(site))
    assert len(table_rows(result.stdout)) == len(CONFIGURATIONS)
    assert "stranger" not in result.stdout


def test_metadata(metadata):
    assert metadata["Name"] == "tfcoded"
    assert metadata["Version"] == tfcoded.__version__
    assert (metadata["License-Expression"], metadata["License-File"]) == ("Apache-2.0", "LICENSE")
    assert set(metadata["Requires-Python"].split(",")) == {">=3.11", "<3.13"}
    assert set(metadata.get_all("Provides-Extra")) == {"test", "docs", "dev", "serving", "accelerator", "pjrt"}
    requirements = [Requirement(text) for text in metadata.get_all("Requires-Dist")]
    assert {canonicalize_name(each.name) for each in requirements if each.marker is None} >= {
        "tensorflow",
        "keras",
        "tf-keras",
        "tensorflow-probability",
        "tensorflow-datasets",
        "tensorflow-gan",
        "absl-py",
        "importlib-resources",
        "tensorboard",
        "setuptools",
    }


def lock():
    """Name -> version of constraints.txt."""
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if line and line[0] != "#"]
    pins = dict(line.split("==") for line in lines)
    assert len(pins) == len(lines)
    return {canonicalize_name(name): version for name, version in pins.items()}


def test_lock_lies_within_the_ranges(metadata):
    pins = lock()
    for text in metadata.get_all("Requires-Dist"):
        requirement = Requirement(text)
        if 'extra == "pjrt"' in text:  # runs where the rest is not installed; pinned in pyproject.toml itself
            assert [part.operator for part in requirement.specifier] == ["=="]
            continue
        if requirement.name == "tfcoded":  # an extra that contains another
            continue
        version = pins[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(version), f"{requirement} is locked to {version}"


def test_source_distribution(source, tmp_path):
    result = run("setup.py", "-q", "sdist", "--dist-dir", tmp_path, cwd=source)
    assert result.returncode == 0, result.stderr
    (path,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
        assert sum(member.size for member in archive.getmembers()) < 5e6  # neither images nor weights of models
        (index,) = [name for name in archive.getnames() if name.endswith("/zoo/SHA256SUMS")]
        lines = archive.extractfile(index).read().decode().splitlines()
    assert [line.split()[1] for line in lines] == ["classifier_mnist/1/saved_model.pb"]
    assert len(checksums.read(source / "zoo")) == 2  # the index that is packaged is a copy
    assert {"LICENSE", "setup.py", "pyproject.toml", "constraints.txt", "tfcoded/config/loading.py"} <= names
    assert {name for name in names if name.endswith("/config.yaml")} == CONFIGURATIONS
    assert "zoo/classifier_mnist/1/saved_model.pb" in names
    assert "zoo/coded_10_300/1/saved_model.pb" not in names
    assert not UNFINISHED & names


def collect(folder, test_module, *arguments):
    """Runs `pytest --collect-only` under pyproject.toml in an empty folder with one test module."""
    shutil.copy(ROOT / "pyproject.toml", folder)
    (folder / "tests").mkdir()
    (folder / "tests" / "test_sample.py").write_text(test_module)
    return run("-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", *arguments, cwd=folder)


@pytest.mark.parametrize(
    "arguments, selected",
    [([], {"quick"}), (["-m", "slow"], {"lengthy"}), (["-m", ""], {"quick", "lengthy"})],
)
def test_slow_tests_are_left_out_unless_asked_for(tmp_path, arguments, selected):
    module = "import pytest\ndef test_quick(): pass\n@pytest.mark.slow\ndef test_lengthy(): pass\n"
    result = collect(tmp_path, module, *arguments)
    found = {name for name in ("quick", "lengthy") if f"::test_{name}" in result.stdout}
    assert found == selected, result.stdout


def test_a_misspelt_marker_is_an_error(tmp_path):
    result = collect(tmp_path, "import pytest\n@pytest.mark.slwo\ndef test_x(): pass\n")
    assert result.returncode != 0
    assert "'slwo' not found in `markers`" in result.stdout
