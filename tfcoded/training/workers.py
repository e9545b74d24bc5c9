"""What several workers of one training settle among themselves; a process alone is the first of one."""

import json

import tensorflow as tf

from tfcoded.utils.errors import UserError


def is_first(distribution):
    """Whether this process is the one that writes: the first of several workers, or the only one."""
    if not isinstance(distribution, tf.distribute.MultiWorkerMirroredStrategy):
        return True
    resolver = distribution.cluster_resolver
    return resolver.task_type == "chief" or (resolver.task_id == 0 and "chief" not in resolver.cluster_spec().as_dict())


def require_same(distribution, given):
    """Refuses workers that were given different settings: they would train one model on different data or bounds."""
    if not isinstance(distribution, tf.distribute.MultiWorkerMirroredStrategy):
        return
    texts = distribution.gather(tf.constant([*json.dumps(given).encode(), *b"\n"]), axis=0)
    first, *others = [json.loads(line) for line in bytes(texts.numpy().tolist()).splitlines()]
    for number, other in enumerate(others, start=1):
        changed = [key for key in {**first, **other} if first.get(key) != other.get(key)]
        if changed:
            values = "; ".join(f"{key}: {first.get(key)} and {other.get(key)}" for key in changed)
            raise UserError(f"workers 0 and {number} have other settings ({values}); give all the same command")


def wait_for_all(distribution):
    """Ends no worker before the first has measured: the others would take its silence for a failure, and it theirs."""
    if isinstance(distribution, tf.distribute.MultiWorkerMirroredStrategy):
        context = tf.distribute.get_replica_context
        distribution.run(tf.function(lambda: context().all_reduce(tf.distribute.ReduceOp.SUM, tf.constant(1.0))))
