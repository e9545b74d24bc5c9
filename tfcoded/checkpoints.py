"""Checkpoints of a training run: everything that an interrupted run needs to go on as if nothing had happened."""

import pathlib

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

    Example:

    ```python
    checkpoints = Checkpoints("runs/coded_10_300", model, model.optimizer)
    epochs_done = checkpoints.restore()  # 0 in a new folder
    checkpoints.save(epochs_done + 1)
    ```
    """

    def __init__(self, workdir, model, optimizer=None):
        self.folder = pathlib.Path(workdir) / FOLDER
        self._epoch = tf.Variable(0, dtype=tf.int64, trainable=False, name="epoch")
        self._complete = optimizer is not None
        variables = [*model.weights, *(optimizer.variables if optimizer else [])]
        content = {variable.path.replace("/", "."): variable.value for variable in variables}
        if len(content) != len(variables):
            raise ValueError("two variables share a path; give the layers different names")
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
            reason = str(error).splitlines()[0][:200]
            raise UserError(f"cannot save a checkpoint into {self.folder}: {reason}") from error

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
            orphans = sorted(path.stem for path in self.folder.glob("epoch-*.index"))
            if orphans:  # starting again would overwrite them
                raise UserError(
                    f"{self.folder / 'checkpoint'} is missing or damaged, but {self.folder} holds {', '.join(orphans)}; "
                    f"write the line model_checkpoint_path: \"{orphans[-1]}\" into it, or choose another --workdir"
                )
            return 0
        try:
            status = self._checkpoint.restore(latest)
            if self._complete:
                status.assert_consumed()
            else:
                status.assert_existing_objects_matched()
                status.expect_partial()  # the optimizer's variables are left, and a warning for each would follow
        except (tf.errors.OpError, ValueError, IndexError, AssertionError) as error:
            if isinstance(error, AssertionError):
                reason = "it belongs to a model with other variables"
            else:
                reason = "it is damaged: " + str(error).splitlines()[0][:200]
            raise UserError(
                f"cannot restore checkpoint {latest}: {reason}. {self._advice(latest)}"
            ) from error
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
