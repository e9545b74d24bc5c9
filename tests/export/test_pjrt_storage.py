import numpy as np
import pytest

from export.pjrt import storage
from tfcoded.storage.compact import BFloat16, Int8
from tfcoded.utils.errors import UserError


@pytest.fixture
def weights():
    rng = np.random.default_rng(0)
    kernel = rng.normal(size=(40, 3, 3, 6)) * np.logspace(-6, 6, 6)
    kernel[..., 2] = 0
    shapes = {"kernel": kernel, "small": rng.normal(size=(9, 9)), "bias": rng.normal(size=5000)}
    return {name: value.astype(np.float32) for name, value in shapes.items()}


@pytest.mark.parametrize("kind, compact", [("int8", Int8), ("bfloat16", BFloat16)])
def test_weights_are_rounded_as_in_a_saved_model(weights, kind, compact):
    restored = storage.restored(storage.rounded(weights, kind))
    np.testing.assert_array_equal(restored["kernel"], compact(weights["kernel"]).restored())
    for name in ("small", "bias"):
        np.testing.assert_array_equal(restored[name], weights[name])


def test_the_integers_survive_another_rounding(weights):
    once = storage.rounded(weights, "int8")
    twice = Int8(storage.restored(once)["kernel"])
    np.testing.assert_array_equal(twice.values, once["int8/kernel"])


@pytest.mark.parametrize("kind", ["float32", "bfloat16", "int8"])
def test_a_result_travels_in_parts(weights, kind, tmp_path):
    storage.write_result(tmp_path, "m", weights, kind, {"epochs": 3}, part_bytes=1000)
    files = storage.write_result(tmp_path, "m", weights, kind, {"epochs": 4}, part_bytes=20_000)
    assert storage.written_result(tmp_path, "m") == (4, kind) and not list(tmp_path.glob("m.epoch3.*"))
    assert max(file.stat().st_size for file in files) <= 20_000 and len(files) > 1
    (tmp_path / "m.epoch9.epoch9.000-of-001.part").write_bytes(b"")  # of a model named m.epoch9
    arrays, facts = storage.read_result(tmp_path, "m")
    assert facts == {"epochs": 4, "storage": kind}
    restored, expected = storage.restored(arrays), storage.restored(storage.rounded(weights, kind))
    assert restored.keys() == weights.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(restored[name], value)

    content = bytearray(files[1].read_bytes())
    content[100] ^= 1
    files[1].write_bytes(content)
    with pytest.raises(UserError, match="damaged"):
        storage.read_result(tmp_path, "m")
    assert storage.written_result(tmp_path, "m") is None
    files[1].unlink()
    with pytest.raises(UserError, match="lacks m.epoch4.001-of"):
        storage.read_result(tmp_path, "m")
    assert storage.written_result(tmp_path, "m") is None  # so that a run that was killed there writes it again


def test_a_damaged_byte_anywhere_is_named_or_harmless(tmp_path):
    kernel = np.random.default_rng(0).normal(size=(40, 40)).astype(np.float32)
    (file,) = storage.write_result(tmp_path, "m", {"kernel": kernel}, "int8", {"epochs": 4}, part_bytes=10_000)
    content, expected = file.read_bytes(), storage.read_result(tmp_path, "m")[0]
    for place in range(len(content)):
        file.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        try:
            arrays, _ = storage.read_result(tmp_path, "m")
        except UserError as error:
            assert "damaged" in str(error)
        else:
            for name, value in expected.items():
                np.testing.assert_array_equal(arrays[name], value)
