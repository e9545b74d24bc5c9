"""Entries of the zoo: folders with a configuration, what was measured, and a SavedModel.

An entry is a folder `<name>` with a `config.yaml`, and possibly `metrics.json` (measured) and `1/` (the
SavedModel). Beside the entries may lie `SHA256SUMS`, with which files are compared before they are loaded. These
folders are looked into, in this order, and the first that has what is wanted is used:

  1. the argument `zoo_dir`, which command lines take from `--zoo_dir`; without it, the environment
     variable TFCODED_ZOO;
  2. `zoo/` of the clone that this package is imported from;
  3. the configurations inside the installed package.

So a folder that holds nothing but SavedModels is enough for 1. TensorFlow is imported by the functions that load
models only.
"""

import fnmatch
import os
import pathlib
import re
import sys
import typing
from collections.abc import Sequence

from tfcoded import config as configuration, families
from tfcoded.config.communication import SystemConfig
from tfcoded.runs.records import Measurement, read_record
from tfcoded.utils.errors import UserError, said
from tfcoded.utils.files import expanded, for_tensorflow, require_readable
from tfcoded.utils.suggestions import nearest
from tfcoded.zoo import checksums, identity

Path = str | os.PathLike[str]

ENVIRONMENT = "TFCODED_ZOO"
CLASSIFIER = "classifier_"  # begins the names of what evaluation labels images with, which are no models of the paper
SMOKE = "_smoke"  # ends the names of what is derived from communication systems, and no entry

_PACKAGE = pathlib.Path(__file__).resolve().parents[1]
_SAVED_MODEL = "1/saved_model.pb"
_SMOKE_SETTINGS = ("network.size=smoke", "training.batch_size=8")


def directory(zoo_dir: Path | None = None) -> pathlib.Path:
    """The folder of zoo entries that is looked into first.

    Args:
      zoo_dir: `str` or `os.PathLike`; default: `TFCODED_ZOO`, then the clone, then the installed package.

    Returns:
      `pathlib.Path` of a folder.

    Raises:
      UserError: if there is no such folder.
    """
    return _directories(zoo_dir)[0]


def list(zoo_dir: Path | None = None) -> Sequence[str]:  # pylint: disable=redefined-builtin  (read as zoo.list)
    """Names of all entries, whether or not there are weights for them.

    Args:
      zoo_dir: as in `directory`.

    Returns:
      list of `str`, sorted, numbers by value.

    Raises:
      UserError: if `zoo_dir` is no folder.
    """
    return sorted(_configuration_paths(zoo_dir), key=natural)


def list_models(pattern: str = "*", pretrained: bool = False, zoo_dir: Path | None = None) -> Sequence[str]:
    """Names of the entries that a pattern matches.

    ```python
    tfcoded.list_models("coded_8_*", pretrained=True)  # ['coded_8_80', 'coded_8_160', 'coded_8_240', ...]
    ```

    Args:
      pattern: `str`, as of file names: `*` is any text, `?` any letter, `[58]` one of these letters.
      pretrained: `bool`: of entries with weights only.
      zoo_dir: as in `directory`.

    Returns:
      list of `str`, sorted, numbers by value; empty if none matches.

    Raises:
      UserError: if the pattern is no `str`, or `zoo_dir` is no folder.
    """
    if not isinstance(pattern, str):
        raise UserError(f"a pattern is {pattern!r}; expected a str such as 'coded_8_*'")
    names = [name for name in list(zoo_dir) if fnmatch.fnmatchcase(name, pattern)]
    return [name for name in names if not pretrained or has_weights(name, zoo_dir)]


def config(name: str, zoo_dir: Path | None = None) -> configuration.Config | SystemConfig:
    """Loads the configuration of an entry.

    Args:
      name: `str`, an entry's name, or that of a communication system followed by '_smoke'.
      zoo_dir: as in `directory`.

    Returns:
      A `tfcoded.config.Config` or `tfcoded.config.communication.SystemConfig`.

    Raises:
      UserError: if there is no such entry (with the nearest name), or its configuration is wrong.
    """
    path = _configuration_path(name, zoo_dir)
    settings = configuration.load(path)
    if path.parent.name == name:
        return settings
    return configuration.override(settings, (f"name={name}", *_SMOKE_SETTINGS))


def with_own_facts(
    settings: configuration.Config | SystemConfig, zoo_dir: Path | None = None
) -> configuration.Config | SystemConfig:
    """A configuration without facts that are another's, such as published numbers in a changed copy of an entry's file.

    Args:
      settings: a `tfcoded.config.Config` or `tfcoded.config.communication.SystemConfig`.
      zoo_dir: as in `directory`.

    Returns:
      A copy: of its facts those remain that are true of the entry of this name with these settings; none if there is no
      such entry.

    Raises:
      UserError: if the entry's configuration is wrong.
    """
    path = _configuration_paths(zoo_dir).get(settings.name)
    entry, bare = None if path is None else configuration.load(path), settings.without_facts()
    true = entry.facts_after(bare) if type(entry) is type(settings) else {}
    return bare.replace(**{fact: value for fact, value in true.items() if getattr(settings, fact)})


def measured(name: str, zoo_dir: Path | None = None) -> dict[str, Measurement]:
    """Reads what was measured of an entry's SavedModel.

    `metrics.json` is `{"metrics": {"psnr": {"value": 18.1, "standard_error": 0.01}, "entropy": 5.1}}`.
    A metric may be a plain number; whatever else the file holds is ignored.

    Args:
      name: `str`, an entry's name.
      zoo_dir: as in `directory`.

    Returns:
      dict from metric to `Measurement`; empty if nothing was measured.

    Raises:
      UserError: if `metrics.json` is not JSON.
    """
    path = measured_path(name, zoo_dir=zoo_dir)
    return {} if path is None else read_record(path)["metrics"]


def measured_path(name: str, file: str = "metrics.json", zoo_dir: Path | None = None) -> pathlib.Path | None:
    """Finds what was measured of an entry's SavedModel.

    Args:
      name: `str`, an entry's name.
      file: `str`, name of the file in the entry's folder.
      zoo_dir: as in `directory`.

    Returns:
      `pathlib.Path`, or `None` if there is no such file.
    """
    if not _is_name(name):
        return None
    # Numbers belong to weights: those of another folder's model would say nothing about the one in use.
    for folder in _directories(zoo_dir):
        path = folder / name / file
        if path.is_file():
            return path
        if _has_model(folder, name):
            break
    return None


def find(relative: str, zoo_dir: Path | None = None) -> pathlib.Path | None:
    """Finds a file or folder of the zoo.

    Args:
      relative: `str`, its path inside a folder of entries, such as 'classifier_mnist'.
      zoo_dir: as in `directory`.

    Returns:
      `pathlib.Path` in the first folder of entries that has it, or `None`.

    Raises:
      UserError: if `zoo_dir` is no folder.
    """
    if not all(map(_is_name, relative.split("/"))):  # it leads out of the folders
        return None
    paths = (folder / relative for folder in _directories(zoo_dir))
    return next((path for path in paths if path.exists()), None)


def has_weights(name: str, zoo_dir: Path | None = None) -> bool:
    """Whether there is a SavedModel of an entry.

    Args:
      name: `str`, an entry's name.
      zoo_dir: as in `directory`.

    Returns:
      `bool`.
    """
    return _home(name, zoo_dir) is not None


def trained(zoo_dir: Path | None = None) -> Sequence[str]:
    """Names of everything that has weights, or should have because an index of hashes lists it.

    Args:
      zoo_dir: as in `directory`.

    Returns:
      list of `str`, the classifiers included, sorted, numbers by value.
    """
    names: set[str] = set()
    for folder in _directories(zoo_dir):
        names.update(path.parent.parent.name for path in folder.glob(f"*/{_SAVED_MODEL}"))
        names.update(path.partition("/")[0] for path in checksums.read(folder) or ())
    return sorted(names, key=natural)


def saved_model_path(name: str, zoo_dir: Path | None = None) -> pathlib.Path:
    """Finds the SavedModel of an entry.

    Args:
      name: `str`, an entry's name.
      zoo_dir: as in `directory`.

    Returns:
      `pathlib.Path` of the version folder `<name>/1`, which `tf.saved_model.load` takes.

    Raises:
      UserError: if there is no such entry, or it has no weights.
    """
    _configuration_path(name, zoo_dir)  # an unknown name deserves its own message
    return trained_path(name, zoo_dir)


def trained_path(name: str, zoo_dir: Path | None = None) -> pathlib.Path:
    """As `saved_model_path`, for the classifiers too."""
    home = _home(name, zoo_dir)
    if home is None:
        folders = ", ".join(map(str, _directories(zoo_dir)))
        command = "train_classifier" if name.startswith(CLASSIFIER) else f"train --model={name}"
        # An installed wheel carries what was measured, and not the weights that it was measured of.
        clone = (
            f"a clone of tfcoded's repository has them in zoo/{name}; " if measured_path(name, zoo_dir=zoo_dir) else ""
        )
        raise UserError(
            f"the zoo has no weights for {name!r} (looked in {folders}); {clone}name a folder that holds {name}/1 with"
            f" --zoo_dir or {ENVIRONMENT}, or train it with python -m tfcoded.{command}"
        )
    return home / name / "1"


def load(name: str, zoo_dir: Path | None = None) -> typing.Any:
    """Loads the SavedModel of an entry.

    Args:
      name: `str`, an entry's name.
      zoo_dir: as in `directory`.

    Returns:
      What `tf.saved_model.load` returns, with the methods `encode`, `decode`, `reconstruct`, `generate` and
      `elbo`; of a communication system `transmit`, `corrupt`, `receive`, `communicate` and `rates`.

    Raises:
      UserError: if there is no such entry, it has no weights, the files are damaged (not those that the folder's
        SHA256SUMS names, if it has one), or they hold a model of another configuration than the entry's.

    Example:

    ```python
    model = zoo.load("coded_10_300")
    model.generate(16, [0, 1])["images"]   # float32[16, 28, 28, 1]
    ```
    """
    entry = config(name, zoo_dir)
    loaded = load_trained(name, zoo_dir)
    identity.require_entry(loaded, entry, trained_path(name, zoo_dir))
    return loaded


def load_trained(name: str, zoo_dir: Path | None = None) -> typing.Any:
    """As `load`, for the classifiers too, and whatever the configuration inside."""
    folder = trained_path(name, zoo_dir)
    root = folder.parent.parent
    if not checksums.verify(root, f"{name}/{folder.name}"):
        print(
            f"warning: {root} has no {checksums.INDEX}: the files of {name} are compared with nothing", file=sys.stderr
        )
    return _load(folder)


def load_saved_model(folder: Path) -> typing.Any:
    """Loads a SavedModel.

    Args:
      folder: `str` or path, a version folder, which holds `saved_model.pb`.

    Returns:
      What `tf.saved_model.load` returns.

    Raises:
      UserError: if the files are damaged: not those that the SHA256SUMS of its folder of entries names, if it does.
    """
    folder = for_tensorflow(folder)
    checksums.verify_listed(folder)
    return _load(folder)


def _load(folder):
    """As `load_saved_model`, of files that were compared."""
    folder = for_tensorflow(folder)
    require_readable(pathlib.Path(folder).rglob("*"))

    import tensorflow as tf  # here, so that all other functions are fast

    try:
        return tf.saved_model.load(folder)
    except (OSError, ValueError, IndexError, KeyError, AssertionError, tf.errors.OpError) as error:
        raise UserError(f"the SavedModel in {folder} is damaged ({said(error)}); export it again") from error


def _directories(zoo_dir):
    """Existing folders of entries, in the order of the module's docstring."""
    folders = []
    named, origin = (os.environ.get(ENVIRONMENT) or None, ENVIRONMENT) if zoo_dir is None else (zoo_dir, "zoo_dir")
    if named is not None:
        folders.append(pathlib.Path(expanded(named)))
        if not str(named) or not folders[0].is_dir():
            raise UserError(f"{origin} is {str(named)!r}, which is no folder; expected one of zoo entries")
    # setup.py tells a clone from site-packages, where a folder `zoo` would be somebody else's.
    if (_PACKAGE.parent / "setup.py").is_file():
        folders.append(_PACKAGE.parent / "zoo")
    folders.append(_PACKAGE / "_zoo")
    found = [folder for folder in folders if folder.is_dir()]
    if not found:
        raise UserError(f"this installation of tfcoded has no zoo; name one with --zoo_dir or {ENVIRONMENT}")
    return found


def _home(name, zoo_dir):
    """The first folder of entries that has the SavedModel of an entry, or `None`."""
    return next((folder for folder in _directories(zoo_dir) if _has_model(folder, name)), None)


def _is_name(name):
    """Whether it can be a folder's name, and no path that leads elsewhere; refuses what is no text."""
    if not isinstance(name, str):
        raise UserError(f"a name is {name!r}; expected a str such as 'coded_10_300'")
    return name not in ("", ".", "..") and not re.search(r"[/\0]", name)


def _has_model(folder, name):
    """Whether a folder of entries has a SavedModel; one that it lists and lacks is damaged, and no other replaces it."""
    if not _is_name(name):
        return False
    if (folder / name / _SAVED_MODEL).is_file():
        return True
    return any(path.startswith(f"{name}/1/") for path in checksums.read(folder) or ())


def _configuration_paths(zoo_dir):
    """Name -> path of its config.yaml, for every entry."""
    paths = {}
    for folder in _directories(zoo_dir):
        for path in folder.glob("*/config.yaml"):
            if not path.parent.name.startswith(CLASSIFIER):
                paths.setdefault(path.parent.name, path)
    return paths


def _configuration_path(name, zoo_dir):
    """The config.yaml of an entry, or of the entry that a smoke configuration is derived from."""
    plain = _is_name(name)
    if plain and not name.startswith(CLASSIFIER):
        for folder in _directories(zoo_dir):
            if os.path.exists(path := folder / name / "config.yaml"):
                return path
    paths = _configuration_paths(zoo_dir)
    stem = name.removesuffix(SMOKE)
    if stem in paths and _has_smoke(paths[stem]):
        return paths[stem]
    hint = ""
    if not plain:
        hint = "a path is given by --saved_model or --workdir; "
    elif name.startswith(CLASSIFIER):
        hint = "classifiers are no models: they label images for the semantic accuracy of models; "
    else:
        near = nearest(stem, paths)
        if near:
            meant = near + SMOKE if stem != name and _has_smoke(paths[near]) else near
            hint = f"did you mean {meant!r}? "
    raise UserError(f"unknown model {name!r}; {hint}python -m tfcoded.zoo lists all")


def _has_smoke(path):
    """Whether there is a quick trial of a configuration; of one that is broken there may be, and it then says so itself."""
    try:
        return families.of(configuration.load(path)).smoke
    except UserError:
        return True


def natural(name):
    """Sorting key under which 'coded_5_80' precedes 'coded_5_100'."""
    parts = [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]
    return parts, name  # snr0p01 and snr0p1 differ in nothing else
