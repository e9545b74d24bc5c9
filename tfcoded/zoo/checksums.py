"""The index of a zoo folder: SHA-256 of every file of its trained models, in the format of `sha256sum`.

`SHA256SUMS` lies beside the entries and names, sorted, every file in a version folder (`<entry>/1/...`) and
every `<entry>/golden.npz`, so that

    cd zoo && sha256sum -c SHA256SUMS

checks the folder without this package. A folder without an index, such as one of a user's own models, is not
checked. The hashes show damage and mistakes; they are no signature: who can change a model can change its hashes.
"""

import contextlib
import fcntl
import glob
import hashlib
import os
import pathlib
import re

from tfcoded.utils.errors import UserError
from tfcoded.utils.files import write_atomically

INDEX = "SHA256SUMS"

_LINE = re.compile(r"([0-9a-f]{64}) [ *](.+)")
_ADVICE = (
    "Restore the files from where they come; models of your own belong into another folder (--zoo_dir), or are added by"
    " python -m export.ship"
)


def read(root):
    """The index of a zoo folder.

    Args:
      root: `str` or path of the folder of entries.

    Returns:
      `dict` from a file's path below `root`, a `str` with slashes, to its SHA-256 in hexadecimal digits; `None`
      if the folder has no index.

    Raises:
      UserError: if the index is damaged.
    """
    path, text = pathlib.Path(root) / INDEX, _text(root)
    if text is None:
        return None
    index = {}
    for number, line in enumerate(text.splitlines(), start=1):
        match = _LINE.fullmatch(line)
        if match is None:
            problem = "is no line of sha256sum"
        elif not {"", ".", ".."}.isdisjoint(match[2].split("/")):  # absolute, or out of the folder
            problem = f"names {match[2]}, which is no path such as coded_10_300/1/saved_model.pb"
        elif match[2] in index:
            problem = f"names {match[2]} again"
        else:
            index[match[2]] = match[1]
            continue
        raise UserError(f"{path}: line {number} {problem}; restore the file")
    return index


def verify(root, part):
    """Compares the files of an entry with the index, if the folder has one.

    Args:
      root: `str` or path of the folder of entries.
      part: `str`, what to check: an entry (`coded_10_300`) or one version of it (`coded_10_300/1`).

    Returns:
      `int`, the number of files that were checked; 0 without an index.

    Raises:
      UserError: if a file is missing, differs, or is there without being listed, or a folder is a symbolic link, which
        may lead to files that are not compared; the message names each.

    Example:

    ```python
    verify("zoo", "coded_10_300/1")
    ```
    """
    root = pathlib.Path(root)
    index = read(root)
    if index is None:
        return 0
    links = [f"{name} is a symbolic link; expected a folder" for name in _linked_folders(root, part)]
    if links:
        raise UserError(f"{root}: {'; '.join(links)}. {_ADVICE}")
    listed = {name for name in index if name.startswith(f"{part}/")}
    present = {name for name in _files(root, part.partition("/")[0]) if name.startswith(f"{part}/")}
    problems = [f"{name} is missing" for name in sorted(listed - present)]
    problems += [f"{name} is not listed in {INDEX}" for name in sorted(present - listed)]
    for name in sorted(listed & present):
        found = sha256(root / name)
        if found != index[name]:
            problems.append(f"{name} is damaged: its SHA-256 is {found[:12]}..., not {index[name][:12]}...")
    if problems:
        raise UserError(f"{root}: {'; '.join(problems)}. {_ADVICE}")
    return len(listed)


def verify_listed(folder):
    """Compares the files of a version folder with the index beside its entry, if that lists any of them.

    A model of one's own may lie beside listed ones, unlisted.

    Args:
      folder: `str` or path, such as `zoo/coded_10_300/1`. Where it is reached by symbolic links, the index beside what
        they lead to counts too.

    Raises:
      UserError: as `verify`, and if there is an index that cannot be read.
    """
    for path in dict.fromkeys(map(pathlib.Path, (os.path.abspath(folder), os.path.realpath(folder)))):
        root, part = path.parent.parent, f"{path.parent.name}/{path.name}"
        if re.search(rf"(^|[ *]){re.escape(part)}/", _text(root) or "", re.MULTILINE):
            verify(root, part)


def update(root, entry):
    """Lists the files of an entry as they are now, in place of what was listed of it.

    Args:
      root: `str` or path of the folder of entries; if it has no index, one of all its entries is made.
      entry: `str`, an entry's name.
    """
    root = pathlib.Path(root)
    _replace(root, entry, {name: sha256(root / name) for name in _files(root, entry)})


def forget(root, entry):
    """Strikes an entry off the index: until `update` its files are refused, and may be exchanged one by one."""
    _replace(pathlib.Path(root), entry, {})


def exchange(root, entry, new, outdated=()):
    """Puts what is in a folder in place of what an entry holds under the same names.

    Until the last step an index does not list the entry: one of which half is exchanged is never loaded. A version
    folder that was there lies beside `new` afterwards.

    Args:
      root: `str` or path of the folder of entries; without an index it gets none.
      entry: `str`, an entry's name.
      new: path of the folder, which is empty afterwards, in the file system of `root`.
      outdated: names of files of the entry to remove, whether `new` has others or not.
    """
    root, new = pathlib.Path(root), pathlib.Path(new)
    target, listed = root / entry, read(root) is not None
    target.mkdir(exist_ok=True)
    if listed:
        forget(root, entry)
    for name in outdated:
        (target / name).unlink(missing_ok=True)
    for path in new.iterdir():
        if path.is_dir() and (target / path.name).exists():
            (target / path.name).rename(new.parent / f"old_{path.name}")
        path.replace(target / path.name)
    if listed:
        update(root, entry)


def sha256(path):
    """The SHA-256 of a file, in hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _text(root):
    """The text of a folder's index, or `None` if there is none."""
    path = pathlib.Path(root) / INDEX
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text in UTF-8"
        raise UserError(f"cannot read {path}: {why}; restore it, or move it if it is none of a zoo") from error


def _linked_folders(root, part):
    """Paths below `root` of the folders of a part that are symbolic links, where files could leave the zoo."""
    entry, _, version = part.partition("/")
    folders = [root / entry]
    versions = [root / part] if version else root.glob(f"{glob.escape(entry)}/*")
    for folder in versions:
        if folder.name.isdecimal() and folder.is_dir():
            folders += [folder, *(pathlib.Path(at, name) for at, names, _ in os.walk(folder) for name in names)]
    return sorted(folder.relative_to(root).as_posix() for folder in folders if folder.is_symlink())


def _files(root, entry):
    """Paths below `root` of the files that the index lists of an entry."""
    folder = root / entry
    found = [folder / "golden.npz"]
    if folder.is_dir():
        for version in folder.iterdir():
            found += version.rglob("*") if version.name.isdecimal() else ()
    return [path.relative_to(root).as_posix() for path in found if path.is_file()]


def _replace(root, entry, lines):
    with _locked(root):
        index = read(root)
        if index is None:
            others = [name for child in root.iterdir() for name in _files(root, child.name)]
            index = {name: sha256(root / name) for name in others}
        index = {name: digest for name, digest in index.items() if not name.startswith(f"{entry}/")} | lines
        write_atomically(root / INDEX, "".join(f"{index[name]}  {name}\n" for name in sorted(index)))


@contextlib.contextmanager
def _locked(root):
    """Keeps other processes from writing the index meanwhile; ends with this process, however that ends."""
    handle = os.open(root, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
