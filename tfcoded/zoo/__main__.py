"""The model zoo: every configuration of the papers, with trained models where there are any.

Without an argument it lists all entries in two tables. The discrete VAEs: information and code bits, rate,
parameters, and the metrics on the test images as the paper reports them beside those measured here. The
communication systems: the channel, what stands at its ends, and what was measured here. With a name it prints that
entry in full.

    python -m tfcoded.zoo
    python -m tfcoded.zoo --dataset=mnist --format=markdown
    python -m tfcoded.zoo coded_10_300
    python -m tfcoded.zoo bwlc_joint_snr1
    python -m tfcoded.zoo verify
    python -m tfcoded.zoo verify coded_10_300 classifier_mnist

`verify` checks trained models: the hashes of their files, their signatures, and that they compute here what they
did when they were added (`tfcoded.zoo.verification`). If something is wrong the exit status is 1.

The name of a communication system followed by `_smoke` is that system with the smallest networks, for a quick trial
that it runs. Such names are not listed.

An entry is a folder `<name>` with a `config.yaml`, and possibly `metrics.json` (measured) and `1/` (the
SavedModel). Beside the entries may lie `SHA256SUMS`, with which files are compared before they are loaded. These
folders are looked into, in this order, and the first that has what is wanted is used:

  1. the argument `zoo_dir`, which command lines take from `--zoo_dir`; without it, the environment
     variable TFCODED_ZOO;
  2. `zoo/` of the clone that this package is imported from;
  3. the configurations inside the installed package.

So a folder that holds nothing but SavedModels is enough for 1. From Python:

```python
from tfcoded import zoo

model = zoo.load("coded_10_300")
model.encode(images)["bits"]
```

A SavedModel is a program: loading or calling one can read and write files as any program that is started by the same
user. The hashes show damage and mistakes, not malice: load only what comes from where you would take a program from.

TensorFlow is imported by the functions that load models only.
"""

import math
import sys

from tfcoded import config as configuration
from tfcoded.runs import records
from tfcoded.utils import text_tables
from tfcoded.utils.errors import UserError
from tfcoded.utils.suggestions import nearest
from tfcoded.zoo import store


def _entry(name, zoo_dir):
    """One entry in full, as text: its file, its metrics and where its weights are."""
    from tfcoded.evaluation import measurement, tables

    path = store._configuration_path(name, zoo_dir)
    text = path.read_text(encoding="utf-8").rstrip()
    if path.parent.name != name:
        text = (
            f"# With {', '.join(store._SMOKE_SETTINGS)}:\n{configuration.to_yaml(store.config(name, zoo_dir)).rstrip()}"
        )
    published = configuration.load(path).published
    found = store.measured_path(name, zoo_dir=zoo_dir)
    record = {"metrics": {}} if found is None else records.read_record(found)
    here = record["metrics"]
    rows = [("metric", "paper", "here", "standard error")]
    for metric in dict.fromkeys((*published, *here)):
        paper = tables.formatted(records.Measurement(published[metric], None)) if metric in published else "-"
        value, _, error = tables.formatted(here[metric]).partition(" ± ") if metric in here else ("-", "", "")
        rows.append((metric + measurement.qualified(record, metric), paper, value, error or "-"))
    lines = [f"# {path}", text, "", text_tables.aligned(rows)]
    weights = store.saved_model_path(name, zoo_dir) if store.has_weights(name, zoo_dir) else "none"
    return "\n".join([*lines, "", f"weights: {weights}"])


def _main(*arguments):
    from absl import flags

    from tfcoded.zoo import listing

    zoo_dir, dataset = flags.FLAGS.zoo_dir, flags.FLAGS.dataset
    if arguments and arguments[0] == "verify":
        return _verify(arguments[1:], zoo_dir)
    if len(arguments) > 1:
        raise UserError(f"unexpected argument {arguments[1]!r}; expected one name, or verify and names, see --help")
    if arguments:
        print(_entry(arguments[0], zoo_dir))
        return 0
    entries = {each: store.config(each, zoo_dir) for each in store.list(zoo_dir)}
    if dataset:
        known = sorted({entry.dataset for entry in entries.values()})
        entries = {each: entry for each, entry in entries.items() if entry.dataset == dataset}
        if not entries:
            near = nearest(dataset, known)
            hint = f"did you mean {near!r}?" if near else f"expected one of {', '.join(known)}"
            raise UserError(f"no entry for data set {dataset!r}; {hint}")
    print(listing.render(entries, zoo_dir, flags.FLAGS.format))
    return 0


def _verify(names, zoo_dir):
    """Exit status of `verify`."""
    from tfcoded.zoo import verification

    failed = verification.verify_all(names, zoo_dir)
    if failed:
        print(f"error: {len(failed)} failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


_main.positional = math.inf


if __name__ == "__main__":
    from absl import flags

    from tfcoded import cli
    from tfcoded.utils import path_flags
    from tfcoded.zoo import listing

    path_flags.define("zoo_dir", None, f"Folder of zoo entries; default: ${store.ENVIRONMENT}, the clone's zoo/.")
    flags.DEFINE_string("dataset", None, "List the entries of this data set only.")
    flags.DEFINE_enum("format", "text", listing.FORMATS, "How the tables of all entries are printed.")
    cli.run(_main)
