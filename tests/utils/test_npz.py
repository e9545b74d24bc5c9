import numpy as np
import pytest

from tfcoded.utils import npz

ARRAYS = {"kernel": np.arange(600.0).reshape(20, 30), "name": np.array("a"), "none": np.zeros([0, 3], np.uint8)}


@pytest.mark.parametrize("compressed", [False, True])
def test_what_was_packed_is_read(compressed, tmp_path):
    (tmp_path / "a.npz").write_bytes(npz.packed(ARRAYS, compressed))
    found = npz.read(tmp_path / "a.npz")
    assert list(found) == list(ARRAYS)
    for name, array in ARRAYS.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)


@pytest.mark.parametrize("compressed", [False, True])
def test_any_damage_is_a_value_error_or_does_not_matter(compressed, tmp_path):
    content, path = npz.packed(ARRAYS, compressed), tmp_path / "a.npz"
    contents = [content[:length] for length in range(0, len(content), 37)]
    for place in [*range(0, len(content), 7), *range(len(content) - 22, len(content))]:
        contents.append(content[:place] + bytes([content[place] ^ 0x55]) + content[place + 1 :])
    refused = 0
    for damaged in contents:
        path.write_bytes(damaged)
        try:
            found = npz.read(path)
        except ValueError as error:
            assert str(error)
            refused += 1
        else:  # a date, or a name
            assert all(any(np.array_equal(array, known) for known in ARRAYS.values()) for array in found.values())
    assert refused > 0.6 * len(contents)


def test_other_files(tmp_path):
    with pytest.raises(OSError, match="No such file"):
        npz.read(tmp_path / "none.npz")
    np.save(tmp_path / "one.npz.npy", np.zeros(3))
    np.savez(tmp_path / "objects.npz", a=np.array([{}], object))
    for name, message in {"one.npz.npy": "no .npz file", "objects.npz": "allow_pickle=False"}.items():
        with pytest.raises(ValueError, match=message):
            npz.read(tmp_path / name)
