"""Coded-DVAEs that were saved, as models with weights again."""

from tfcoded.utils.errors import UserError


def coded_dvae(path):
    """The Coded-DVAE of a SavedModel.

    Args:
      path: `str`, the `--model` of a benchmark: a version folder, or one that holds them such as `zoo/coded_8_240`.

    Returns:
      The loaded SavedModel, a `tfcoded.models.CodedDVAE` with its weights, and its `tfcoded.config.Config`.

    Raises:
      UserError: if there is no SavedModel, or one of something else.
    """
    from tfcoded.zoo import identity, sources

    folder = sources.find_saved_model(path)
    if folder is None:
        raise UserError(f"--model {path} holds no SavedModel")

    from tfcoded import families, models, zoo
    from tfcoded.zoo import restoring

    codec = zoo.load_saved_model(folder)
    config = zoo.with_own_facts(identity.configuration_of(codec, folder))
    if families.of(config).name != "coded_dvae":
        raise UserError(f"--model {path} is no Coded-DVAE")
    model = models.build(config)
    restoring.restore_weights(model, folder)
    return codec, model, config
