"""Whether the trained models of a zoo folder are complete and undamaged, and compute what they once did."""

from tfcoded import families, zoo
from tfcoded.utils.errors import UserError
from tfcoded.zoo import checksums, golden, identity


def verify(name, zoo_dir=None):
    """Checks one trained model: hashes, signatures and golden outputs.

    Args:
      name: `str`, an entry with weights, or a classifier such as `classifier_mnist`.
      zoo_dir: as in `tfcoded.zoo.directory`.

    Returns:
      `str`, what was found in order.

    Raises:
      UserError: if the entry has no weights, or something is wrong; the message says what.

    Example:

    ```python
    verify("classifier_mnist")  # '3 files, 3 signatures'
    ```
    """
    folder = zoo.trained_path(name, zoo_dir)
    files = checksums.verify(folder.parent.parent, name)
    loaded = zoo.load_saved_model(folder)
    done = [f"{files} files" if files else "no index of hashes"]
    if name.startswith(zoo.CLASSIFIER):
        expected = _classifier_signatures(loaded)
    else:
        config = identity.require_entry(loaded, zoo.config(name, zoo_dir), folder)
        expected = families.of(config).signatures(config)
        outputs = folder.parent / "golden.npz"
        if files or outputs.is_file():
            done.append(f"{golden.check(loaded, config, outputs)} golden outputs")
        else:  # a user's folder of nothing but SavedModels
            done.append("no golden outputs")
    _check_signatures(loaded, expected)
    done.append(f"{len(expected)} signatures")
    return ", ".join(done)


def verify_all(names=(), zoo_dir=None):
    """Checks many models and prints a line about each.

    Args:
      names: `str`s; empty for every model with weights.
      zoo_dir: as in `tfcoded.zoo.directory`.

    Returns:
      list of `str`, the names of those that failed.

    Raises:
      UserError: if there is no entry of a name.
    """
    chosen = names or zoo.trained(zoo_dir)
    for name in names:
        if zoo.find(name, zoo_dir) is None:
            zoo.config(name, zoo_dir)  # names the nearest entry
    failed = []
    width = max(map(len, chosen), default=0)
    for name in chosen:
        try:
            print(f"ok      {name:<{width}}  {verify(name, zoo_dir)}", flush=True)
        except UserError as error:
            print(f"FAILED  {name:<{width}}  {error}", flush=True)
            failed.append(name)
    if not names:
        untrained = [name for name in zoo.list(zoo_dir) if name not in chosen]
        if untrained:
            print(
                f"{len(untrained)} entries without weights; train and add one: python -m tfcoded.train"
                " --model=NAME && python -m export.ship --workdir=runs/NAME"
            )
    return failed


def _classifier_signatures(loaded):
    """As `Family.signatures`; what a classifier classifies is known to itself alone."""
    signature = loaded.signatures.get("classify")
    if signature is None:
        raise UserError("the SavedModel has no signature classify")
    shape = tuple(signature.structured_input_signature[1]["images"].shape)
    logits = {"logits": ("float32", tuple(signature.structured_outputs["logits"].shape))}
    expected = {
        name: ({"images": (dtype, shape)}, logits)
        for name, dtype in (("classify", "uint8"), ("classify_float", "float32"))
    }
    expected["serving_default"] = expected["classify"]
    return expected


def _check_signatures(loaded, expected):
    problems = [f"no {name}" for name in sorted(expected.keys() - loaded.signatures.keys())]
    for name, wanted in expected.items():
        if name in loaded.signatures:
            signature = loaded.signatures[name]
            found = tuple(map(_described, (signature.structured_input_signature[1], signature.structured_outputs)))
            problems += [f"{name} is {found}, not {wanted}"] if found != wanted else []
    if problems:
        raise UserError(f"the SavedModel has other signatures: {'; '.join(problems)}")


def _described(tensors):
    return {name: (spec.dtype.name, tuple(spec.shape)) for name, spec in tensors.items()}
