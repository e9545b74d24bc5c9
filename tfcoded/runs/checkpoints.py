"""Checkpoints of a training run: everything that an interrupted run needs to go on as if nothing had happened."""

import pathlib
import re
import shutil

import tensorflow as tf

from tfcoded.utils.errors import UserError, said
from tfcoded.utils.files import for_tensorflow, require_readable, write_atomically

FOLDER = "checkpoints"
_STATE = "checkpoint"


class Checkpoints:
    """The checkpoints in `<workdir>/checkpoints`: weights, optimizer state and the number of finished epochs.

    Variables are stored under their paths with dots for slashes, such as `coded_dvae.encoder.encoder_conv_0.kernel`.
    A checkpoint counts only once it is complete, and the one before it is kept. The file `checkpoint` names both, as
    TensorFlow's own functions read it.

    Args:
      workdir: `str` or path of the run.
      model: a built `keras.Model`.
      optimizer: its built `keras.optimizers.Optimizer`, or `None` to restore weights only.

    Raises:
      UserError: if the file that names the newest checkpoint is damaged, or TensorFlow cannot take the path.

    Example:

    ```python
    checkpoints = Checkpoints("runs/coded_10_300", model, model.optimizer)
    epochs_done = checkpoints.restore()  # 0 in a new folder
    checkpoints.save(epochs_done + 1)
    ```
    """

    def __init__(self, workdir, model, optimizer=None):
        self.folder = pathlib.Path(for_tensorflow(workdir), FOLDER)
        self._kept = _kept(self.folder)
        self._epoch = tf.Variable(0, dtype=tf.int64, trainable=False, name="epoch")
        self._complete = optimizer is not None
        content = _by_path([*model.weights, *(optimizer.variables if optimizer else [])])
        self._checkpoint = tf.train.Checkpoint(epoch=self._epoch, **content)
        _ = self._checkpoint.save_counter  # makes it: checkpoints of a `tf.train.CheckpointManager` have it too

    def save(self, epoch):
        """Saves the state after `epoch` finished epochs; returns the checkpoint's path prefix, a `str`.

        Raises:
          UserError: if it cannot be written, the disk being full for instance.
        """
        self._epoch.assign(epoch)
        new = str(self.folder / f"epoch-{epoch}")
        kept = [*[path for path in self._kept if path != new][-1:], new]
        try:
            self._checkpoint.write(new)
            names = [pathlib.Path(path).name for path in kept]
            lines = [f'model_checkpoint_path: "{names[-1]}"\n']
            lines += [f'all_model_checkpoint_paths: "{name}"\n' for name in names]
            write_atomically(self.folder / _STATE, "".join(lines))
        except (OSError, tf.errors.OpError) as error:
            self.remove_unfinished()  # the disk may be full of it
            raise UserError(f"cannot save a checkpoint into {self.folder}: {said(error)}") from error
        before, self._kept = self._kept, kept
        for path in before:  # not by a pattern, which may be another checkpoint's name
            for file in _files(path) if path not in kept else ():
                file.unlink(missing_ok=True)
        return new

    def remove_unfinished(self):
        """Removes what saves that failed or were killed left behind; only for the process that trains here."""
        for left in self.folder.glob("epoch-*_temp"):  # TensorFlow's name
            shutil.rmtree(left, ignore_errors=True)

    def latest(self):
        """Path prefix of the newest complete checkpoint, or `None`."""
        return self._kept[-1] if self._kept else None

    def restore(self):
        """Restores the newest checkpoint.

        Returns:
          `int`, the number of finished epochs; 0 if there is no checkpoint.

        Raises:
          UserError: if the checkpoint is damaged or belongs to another model.
        """
        latest = self.latest()
        if latest is None:
            if _names(self.folder):  # starting again would overwrite them
                raise UserError(_lost(self.folder))
            return 0
        _restore(self._checkpoint, latest, self._complete, lambda: self._advice(latest))
        return int(self._epoch.numpy())

    def _advice(self, latest):
        others = [path for path in self._kept if path != latest]
        name = pathlib.Path(latest).name
        if others:
            return (
                f"To go on from {pathlib.Path(others[-1]).name}, delete {name}.* and change the first line of "
                f'{self.folder / _STATE} to model_checkpoint_path: "{pathlib.Path(others[-1]).name}"'
            )
        return f"Delete {self.folder} to start again, or choose another --workdir"


def latest_epoch(workdir):
    """Number of the newest checkpoint in a work directory by its name, an `int`, or `None` if there is none.

    Raises:
      UserError: if the file that names it is damaged.
    """
    kept = _kept(pathlib.Path(workdir) / FOLDER)
    _, _, number = kept[-1].rpartition("-") if kept else ("", "", "")
    return int(number) if number.isdecimal() else None


def restore_weights(model, path):
    """Gives a model the weights of a checkpoint, whatever training it belongs to.

    Args:
      model: a built `keras.Model`.
      path: `str` or path, a checkpoint without its suffix, such as `runs/coded_10_300/checkpoints/epoch-200`, or the
        folder of a run or of its checkpoints: the newest one.

    Returns:
      `str`, the checkpoint without its suffix.

    Raises:
      UserError: if there is no such checkpoint, or it is damaged or belongs to another model.
    """
    path = for_tensorflow(path)
    if pathlib.Path(path).is_dir():
        path = next((kept[-1] for kept in (_kept(pathlib.Path(path, FOLDER)), _kept(pathlib.Path(path))) if kept), path)
    file = pathlib.Path(f"{path}.index")
    if not file.is_file():
        folder = next((at for at in (pathlib.Path(path), pathlib.Path(path, FOLDER), file.parent) if _names(at)), None)
        expected = f"expected one such as RUN/{FOLDER}/epoch-20, or the folder of a SavedModel"
        there = f"{folder} has {', '.join(_names(folder))}" if folder else expected
        raise UserError(f"no checkpoint {path}; {there}")
    _restore(tf.train.Checkpoint(**_by_path(model.weights)), str(path), False, lambda: "Choose another checkpoint")
    return str(path)


def _kept(folder):
    """Path prefixes of the checkpoints that the file `checkpoint` in a folder names, the newest last."""
    if not (folder / _STATE).exists():  # before it is read: a training may be writing the first one
        return []
    try:
        state = tf.train.get_checkpoint_state(str(folder))
    except ValueError:  # it names none, or is no text
        state = None
    if state is None:
        raise UserError(_lost(folder))
    newest = state.model_checkpoint_path
    return [*(path for path in state.all_model_checkpoint_paths if path != newest), newest]


def _files(path):
    """The files of the checkpoint with this path prefix, `pathlib.Path`s."""
    name = re.compile(re.escape(pathlib.Path(path).name) + r"\.(index|data-\d{5}-of-\d{5})")
    folder = pathlib.Path(path).parent
    return [file for file in folder.iterdir() if name.fullmatch(file.name)] if folder.is_dir() else []


def _lost(folder):
    """What to do where the name of the newest checkpoint is lost."""
    file, names = folder / _STATE, _names(folder)
    if not names:
        return f"{file} is damaged, and {folder} holds no checkpoint; delete {file} to start again"
    return (
        f"{file} is missing or damaged, but {folder} holds {', '.join(names)}; "
        f'write the line model_checkpoint_path: "{names[-1]}" into it, or choose another --workdir'
    )


def _names(folder):
    """The complete checkpoints in a folder, `str`s without suffix, oldest first."""
    found = [path.stem for path in folder.glob("epoch-*.index")]
    return sorted(found, key=lambda name: (len(name), name))


def _by_path(variables):
    content = {variable.path.replace("/", "."): variable.value for variable in variables}
    if len(content) != len(variables):
        raise ValueError("two variables share a path; give the layers different names")
    return content


def _restore(checkpoint, path, complete, advice):
    """Restores all that `checkpoint` has, and if `complete` nothing else may be in the file."""
    require_readable(_files(path))
    try:
        status = checkpoint.restore(path)
        if complete:
            status.assert_consumed()
        else:
            status.assert_existing_objects_matched()
            status.expect_partial()  # the optimizer's variables are left, and a warning for each would follow
    except (tf.errors.OpError, ValueError, IndexError, AssertionError) as error:
        text = said(error).rstrip(".:")
        if isinstance(error, AssertionError):
            why = "it belongs to a model with other variables"
        elif "incompatible tensor" in text:
            why = f"it belongs to a model of other sizes: {text}"
        else:
            why = f"it is damaged: {text}"
        raise UserError(f"cannot restore checkpoint {path}: {why}. {advice()}") from error
