"""Checkpoints of a training run: everything that an interrupted run needs to go on as if nothing had happened."""

import pathlib
import re
import shutil

import tensorflow as tf

from tfcoded.errors import UserError

FOLDER = "checkpoints"


class Checkpoints:
    """The checkpoints in `<workdir>/checkpoints`: weights, optimizer state and the number of finished epochs.

    Variables are stored under their paths with dots for slashes, such as `coded_dvae.encoder.encoder_conv_0.kernel`.
    A checkpoint counts only once it is complete, and the one before it is kept.

    Args:
      workdir: `str` or path of the run.
      model: a built `keras.Model`.
      optimizer: its built `keras.optimizers.Optimizer`, or `None` to restore weights only.

    Raises:
      UserError: if the file that names the newest checkpoint is damaged.

    Example:

    ```python
    checkpoints = Checkpoints("runs/coded_10_300", model, model.optimizer)
    epochs_done = checkpoints.restore()  # 0 in a new folder
    checkpoints.save(epochs_done + 1)
    ```
    """

    def __init__(self, workdir, model, optimizer=None):
        self.folder = pathlib.Path(workdir) / FOLDER
        _newest(self.folder)  # what the manager would end in a traceback for is refused
        self._epoch = tf.Variable(0, dtype=tf.int64, trainable=False, name="epoch")
        self._complete = optimizer is not None
        content = _by_path([*model.weights, *(optimizer.variables if optimizer else [])])
        self._checkpoint = tf.train.Checkpoint(epoch=self._epoch, **content)
        self._manager = tf.train.CheckpointManager(
            self._checkpoint, str(self.folder), max_to_keep=2, checkpoint_name="epoch"
        )

    def save(self, epoch):
        """Saves the state after `epoch` finished epochs; returns the checkpoint's path prefix, a `str`.

        Raises:
          UserError: if it cannot be written, the disk being full for instance.
        """
        self._epoch.assign(epoch)
        try:
            return self._manager.save(checkpoint_number=epoch)
        except tf.errors.OpError as error:
            self.remove_unfinished()  # the disk may be full of it
            raise UserError(f"cannot save a checkpoint into {self.folder}: {_reason(error)}") from error

    def remove_unfinished(self):
        """Removes what saves that failed or were killed left behind; only for the process that trains here."""
        for left in self.folder.glob("epoch-*_temp"):  # TensorFlow's name
            shutil.rmtree(left, ignore_errors=True)

    def latest(self):
        """Path prefix of the newest complete checkpoint, or `None`."""
        return self._manager.latest_checkpoint

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
        others = [path for path in self._manager.checkpoints if path != latest]
        name = pathlib.Path(latest).name
        if others:
            return (
                f"To go on from {pathlib.Path(others[-1]).name}, delete {name}.* and change the first line of "
                f"{self.folder / 'checkpoint'} to model_checkpoint_path: \"{pathlib.Path(others[-1]).name}\""
            )
        return f"Delete {self.folder} to start again, or choose another --workdir"


def latest_epoch(workdir):
    """Number of the newest checkpoint in a work directory by its name, an `int`, or `None` if there is none.

    Raises:
      UserError: if the file that names it is damaged.
    """
    _, _, number = _newest(pathlib.Path(workdir) / FOLDER).rpartition("-")
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
    if pathlib.Path(path).is_dir():
        path = _newest(pathlib.Path(path) / FOLDER) or _newest(pathlib.Path(path)) or path
    file = pathlib.Path(f"{path}.index")
    if not file.is_file():
        folder = next((at for at in (pathlib.Path(path), pathlib.Path(path, FOLDER), file.parent) if _names(at)), None)
        expected = f"expected one such as RUN/{FOLDER}/epoch-20, or the folder of a SavedModel"
        there = f"{folder} has {', '.join(_names(folder))}" if folder else expected
        raise UserError(f"no checkpoint {path}; {there}")
    _restore(tf.train.Checkpoint(**_by_path(model.weights)), str(path), False, lambda: "Choose another checkpoint")
    return str(path)


def _newest(folder):
    """Path prefix of the checkpoint that TensorFlow's file `checkpoint` in a folder names; empty if there is none."""
    if not (folder / "checkpoint").exists():  # before it is read: a training may be writing the first one
        return ""
    try:
        state = tf.train.get_checkpoint_state(str(folder))
    except ValueError:  # it names none, or is no text
        state = None
    if state is None:
        raise UserError(_lost(folder))
    return state.model_checkpoint_path


def _lost(folder):
    """What to do where the name of the newest checkpoint is lost."""
    file, names = folder / "checkpoint", _names(folder)
    if not names:
        return f"{file} is damaged, and {folder} holds no checkpoint; delete {file} to start again"
    return (
        f"{file} is missing or damaged, but {folder} holds {', '.join(names)}; "
        f"write the line model_checkpoint_path: \"{names[-1]}\" into it, or choose another --workdir"
    )


def _reason(error):
    """What TensorFlow says first, without the names of its own functions before it."""
    return re.sub(r"\{\{.*?\}\} ?", "", (str(error).splitlines() or [""])[0])


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
    try:
        status = checkpoint.restore(path)
        if complete:
            status.assert_consumed()
        else:
            status.assert_existing_objects_matched()
            status.expect_partial()  # the optimizer's variables are left, and a warning for each would follow
    except (tf.errors.OpError, ValueError, IndexError, AssertionError) as error:
        said = _reason(error).rstrip(".:")
        if isinstance(error, AssertionError):
            reason = "it belongs to a model with other variables"
        elif "incompatible tensor" in said:
            reason = f"it belongs to a model of other sizes: {said}"
        else:
            reason = f"it is damaged: {said}"
        raise UserError(f"cannot restore checkpoint {path}: {reason}. {advice()}") from error
