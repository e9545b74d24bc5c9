"""YAML as configurations are written in: plain values, no key twice."""

import yaml

from tfcoded.utils.sections import ConfigError


def first_line(error):
    """The first line of an error's message."""
    return str(error).splitlines()[0]


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
    """Plain YAML, but a key given twice is an error instead of the last one winning silently."""

    def construct_mapping(self, node, deep=False):
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    problem = f"key {key.value!r} is given twice"
                    raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
                seen.add(key.value)
        return super().construct_mapping(node, deep)


class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):
    """Lists on one line, mappings one key to a line."""


_Dumper.add_representer(
    list, lambda dumper, items: dumper.represent_sequence("tag:yaml.org,2002:seq", items, flow_style=True)
)


def dump(values):
    """Writes nested dicts of plain values as YAML text."""
    return yaml.dump(values, Dumper=_Dumper, sort_keys=False, width=110, allow_unicode=True)


def parse(text, source):
    """Reads YAML text, which `source` is named for in the message of a `ConfigError`."""
    try:
        return yaml.load(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line = f" (line {mark.line + 1})" if mark else ""
        message = f"not valid YAML{line}: {error.problem}"
    except (yaml.YAMLError, ValueError) as error:  # ValueError: a date that does not exist
        message = f"not valid YAML: {first_line(error)}"
    raise ConfigError(f"{source}: {message}" if source else message)
