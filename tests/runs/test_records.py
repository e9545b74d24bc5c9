import json
import math
import subprocess
import sys

import pytest

from tfcoded.runs import provenance, records
from tfcoded.utils.errors import UserError


def test_record_is_json():
    metrics = {"psnr": (math.inf, None), "ber": (0.25, 0.01)}
    content = records.record("mine", metrics, {"ber": 0.2}, seed=3, notes=["a note"], epochs=5)
    assert json.loads(records.to_json(content)) == content
    assert content["metrics"] == {
        "psnr": {"value": None, "standard_error": None},
        "ber": {"value": 0.25, "standard_error": 0.01},
    }
    assert (content["name"], content["split"], content["seed"], content["epochs"]) == ("mine", "test", 3, 5)
    assert content["published"] == {"ber": 0.2} and content["notes"] == ["a note"]
    assert content["versions"]["tfcoded"] and content["hardware"]


def test_json_refuses_what_json_cannot_hold():
    with pytest.raises(ValueError):
        records.to_json({"value": math.nan})


def test_what_is_added_replaces_nothing_unasked():
    before = records.record("mine", {"psnr": (18.0, 0.1), "ber": (0.25, 0.01)}, {}, seed=0, images=10, runs=5)
    same = records.record("mine", {"psnr": (18.0, 0.1), "fid": (90.0, None)}, {}, seed=0, images=4, generated=7)
    added = records.merge(before, same)
    assert list(added["metrics"]) == ["psnr", "ber", "fid"]
    assert (added["images"], added["runs"], added["generated"]) == (10, 5, 7)
    assert added["additions"][0]["images"] == 4 and "likelihood" not in added
    likely = {name: before | {"metrics": {}, "likelihood": {name: {"samples": 300}}} for name in ("z", "pi")}
    added = records.merge(added, likely["z"])
    assert records.merge(added, likely["pi"])["likelihood"].keys() == likely.keys() > added["likelihood"].keys()

    other = records.record("mine", {"ber": (0.5, 0.1)}, {}, seed=1, images=10, runs=2)
    with pytest.raises(UserError, match="cannot add what is there already: ber;"):
        records.merge(before, other)
    replaced = records.merge(before, other, replace=True)
    assert replaced["metrics"]["ber"]["value"] == 0.5 and replaced["runs"] == 2 and replaced["seed"] == 0
    with pytest.raises(UserError, match="another name: mine there, other here"):
        records.merge(before, other | {"name": "other"}, replace=True)


def test_command_of_a_module(tmp_path):
    (tmp_path / "tool.py").write_text("from tfcoded.runs import provenance\nprint(provenance.command())\n")
    found = subprocess.run(
        [sys.executable, "-m", "tool", "--a=1", "two words"],
        env={"PYTHONPATH": f"{tmp_path}:{provenance.__file__.rpartition('/tfcoded/')[0]}"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout == "python -m tool --a=1 'two words'\n"


def test_no_tensorflow_is_imported():
    script = "import sys, tfcoded.runs.provenance as p; p.hardware(); print('tensorflow' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert found.stdout == "False\n"
