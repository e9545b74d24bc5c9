import numpy as np
import pytest
from PIL import Image

from tfcoded import pictures
from tfcoded.metrics import Estimate, calibration
from tfcoded.pictures import _figure, training_curves


def read(path):
    return np.asarray(Image.open(path))


def test_plain_sheet_is_exact(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, [5, 28, 28, 1]).astype(np.uint8)
    size = pictures.sheet(images, 3, tmp_path / "sheet.png")
    side = 4 * 28
    assert size == (2 * 16 + 3 * side + 2 * 6, 2 * 16 + 2 * side + 6)
    found = read(tmp_path / "sheet.png")
    assert found.shape == (size[1], size[0], 3)
    for index, image in enumerate(images):
        row, column = divmod(index, 3)
        y, x = 16 + row * (side + 6), 16 + column * (side + 6)
        cell = found[y : y + side, x : x + side]
        expected = np.kron(image[..., 0], np.ones((4, 4), np.uint8))
        np.testing.assert_array_equal(cell, np.repeat(expected[..., None], 3, axis=-1))
    assert np.all(found[-16 - side :, -16 - side :] == 255)  # the sixth cell stays empty


def test_colour_and_floating_point(tmp_path):
    images = np.zeros([1, 32, 32, 3])
    images[..., 0], images[..., 1] = 0.5, 2.0  # beyond 1: clipped, not wrapped around
    assert pictures.sheet(images, 8, tmp_path / "sheet.png") == (32 + 96, 32 + 96)
    assert tuple(read(tmp_path / "sheet.png")[40, 40]) == (128, 255, 0)


def test_long_titles_widen_their_column_only(tmp_path):
    images = np.zeros([4, 28, 28], np.uint8)
    plain = pictures.sheet(images, 2, tmp_path / "a.png", titles=["a"] * 4)
    titles = ["a", "a", "a title much wider than its image", "a"]
    long = pictures.sheet(images, 2, tmp_path / "b.png", titles)
    assert long[0] > plain[0] and long[1] == plain[1]
    two_lines = pictures.sheet(images, 2, tmp_path / "c.png", titles=["a\nb"] * 4)
    assert two_lines == (plain[0], plain[1] + 2 * pictures.LINE)


def test_row_and_column_titles_and_heading_add_room_and_ink(tmp_path):
    images = np.full([4, 28, 28], 255, np.uint8)
    plain = pictures.sheet(images, 2, tmp_path / "a.png")
    assert read(tmp_path / "a.png").min() == 255
    size = pictures.sheet(
        images,
        2,
        tmp_path / "b.png",
        column_titles=["x", "y"],
        row_titles=["first", "second"],
        heading="Heading",
    )
    assert size[0] > plain[0] and size[1] == plain[1] + 2 * (pictures.LINE + pictures.GAP)
    found = read(tmp_path / "b.png")
    assert found[:, : pictures.MARGIN].min() == 255  # nothing is written into the margin
    assert found[pictures.MARGIN : pictures.MARGIN + pictures.LINE].min() < 100


@pytest.mark.parametrize(
    "images, columns, titles, message",
    [
        (np.zeros([0, 8, 8, 1]), 2, None, "nothing to draw"),
        (np.zeros([2, 8, 8, 1]), 0, None, "nothing to draw"),
        (np.zeros([2, 8, 8, 2]), 2, None, "got shape"),
        (np.zeros([2, 8, 8, 1]), 2, ["one"], "titles: expected 2"),
    ],
)
def test_bad_input(images, columns, titles, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        pictures.sheet(images, columns, tmp_path / "sheet.png", titles)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("epochs", [1, 5, 60])
def test_learning_curves(tmp_path, epochs):
    names = ("elbo", "val_elbo", "kl", "only_training")
    history = {name: list(np.linspace(-300, -200, epochs)) for name in names}
    history["kl"][0] = None
    pictures.learning_curves(history, tmp_path / "curves.png")
    found = read(tmp_path / "curves.png")
    assert found.shape[1] == int(3 * 4.2 * 120)
    colours = {tuple(colour) for colour in found[..., :3].reshape(-1, 3)}
    assert {(0x1F, 0x5F, 0xA8), (0xD9, 0x73, 0x1A)} <= colours  # both curves are there


def test_learning_curves_without_metrics(tmp_path):
    with pytest.raises(ValueError, match="no metric"):
        pictures.learning_curves({}, tmp_path / "curves.png")


def drawn(monkeypatch, draw):
    """The figure that `draw` draws."""
    figures = []
    monkeypatch.setattr(_figure, "save", lambda figure, path: figures.append(figure))
    draw()
    return figures[0]


def lines(monkeypatch, draw):
    """title -> label -> (epochs, values) of the figure that `draw` draws."""
    return {
        panel.get_title(): {line.get_label(): tuple(map(list, line.get_data())) for line in panel.lines}
        for panel in drawn(monkeypatch, draw).axes
        if panel.get_visible()
    }


@pytest.mark.parametrize(
    "name, title, unit",
    [
        ("elbo", "ELBO", "nats per image"),
        ("vr_iwae", "VR-IWAE bound", "nats per image"),
        ("kl_m2", "KL divergence of m2", "nats per image"),
        ("kl_v", "KL divergence of auxiliary latents", "nats per image"),
        ("rate", "rate", "bits per image"),
        ("source_vae_rate", "source vae: rate", "bits per image"),
        ("channel_autoencoder_mse", "channel autoencoder: mean squared error", "per value"),
        ("something_new", "something new", ""),
    ],
)
def test_learning_curves_say_what_they_are_in_which_unit_and_of_which_model(monkeypatch, name, title, unit):
    figure = drawn(monkeypatch, lambda: pictures.learning_curves({name: [1.0, 2.0]}, "curves.png", "mine"))
    (panel,), (legend,) = figure.axes, figure.legends
    assert (panel.get_title(), panel.get_ylabel(), legend.get_title().get_text()) == (title, unit, "mine")


def test_every_metric_of_a_training_has_a_unit():
    """Of a Coded-DVAE, see `CodedDVAE.metric_names`, and of the systems."""
    for name in ("iwae", "vr_iwae", "elbo", "reconstruction", "kl", "kl_m1", "mse", "rate", "kl_v"):
        assert training_curves._described(name)[1]


def test_models_trained_for_as_many_epochs_are_named_without_them(monkeypatch):
    history = {"epoch": [1, 2], "val_elbo": [0.0, 1.0]}
    shown = lines(monkeypatch, lambda: pictures.compared_curves({"a": history, "b": history}, "curves.png"))
    assert set(shown["ELBO"]) == {"a", "b"}
    short = {"epoch": [1], "val_elbo": [0.0]}
    shown = lines(monkeypatch, lambda: pictures.compared_curves({"a": history, "b": short}, "curves.png"))
    assert set(shown["ELBO"]) == {"a, 2 epochs", "b, 1 epoch"}


def test_differences_are_drawn_with_a_line_at_zero(monkeypatch):
    panels = [
        pictures.Panel("difference", "x", "y", [pictures.Line("", [1, 2], [0.5, 0.6])], zero=True),
        pictures.Panel("error", "x", "y", [pictures.Line("a", [1, 2], [0.5, 0.6])]),
    ]
    figure = drawn(monkeypatch, lambda: pictures.panels(panels, "figure.png", heading="bars"))
    first, second = figure.axes
    assert [0.0, 0.0] in [list(line.get_ydata()) for line in first.lines]
    assert [0.0, 0.0] not in [list(line.get_ydata()) for line in second.lines]
    assert first.get_ylim()[0] < 0 and second.get_ylim()[0] > 0.4 and figure.get_suptitle() == "bars"


@pytest.mark.parametrize("rates, scale", [([0.5, 0.001], "symlog"), ([0.0, 0.004], "symlog"), ([0.0, 0.3], "linear")])
def test_small_error_rates_are_drawn_on_a_logarithmic_axis(monkeypatch, rates, scale):
    names = ("wer", "ber", "wer_images", "psnr", "ssim")
    rows = [{"parameter": rate, "metrics": dict.fromkeys(names, Estimate(rate, rate / 3))} for rate in rates]
    arguments = {"noiseless": {}, "parameter": "noise", "capacity": ([0, 0.5], [1, 0]), "limit": (0.2, 0.6)}
    figure = drawn(monkeypatch, lambda: pictures.transmission_curves(rows, "curves.png", **arguments))
    (panel,) = (panel for panel in figure.axes if panel.get_title() == "error rate")
    assert panel.get_yscale() == scale
    bottom, top = panel.get_ylim()
    assert bottom < 0 and top >= 1  # 0 and 1 are on it
    places = panel.transData.transform([(0, rate) for rate in (0, 0.001, 0.01)])[:, 1]
    if scale == "symlog":  # as far apart as on paper with decades
        assert np.diff(places).min() > 0.1 * panel.get_window_extent().height


def test_curves_begin_with_the_first_recorded_epoch(monkeypatch):
    history = {
        "epoch": [4, 5],
        "seconds": [1.0, 1.0],
        "loss": [3.0, 2.0],
        "elbo": [-3.0, -2.0],
        "val_elbo": [-5.0, -4.0],
    }
    shown = lines(monkeypatch, lambda: pictures.learning_curves(pictures.curves(history), "curves.png"))
    assert shown == {"ELBO": {"training data": ([4, 5], [-3.0, -2.0]), "test data": ([4, 5], [-5.0, -4.0])}}
    assert pictures.curves({"epoch": [1], "loss": [3.0]}) == {}


def test_compared_curves(monkeypatch):
    histories = {f"model {number}": {"elbo": [0.0, 0.0], "val_elbo": [number, number + 1.0]} for number in range(8)}
    histories["model 2"] |= {"epoch": [7, 8], "val_kl": [1.0, 2.0]}
    shown = lines(monkeypatch, lambda: pictures.compared_curves(histories, "curves.png"))
    name, other = "model 2, 8 epochs", "model 3, 2 epochs"
    assert set(shown) == {"ELBO", "KL divergence"} and shown["KL divergence"] == {name: ([7, 8], [1.0, 2.0])}
    assert shown["ELBO"][other] == ([1, 2], [3.0, 4.0]) and shown["ELBO"][name] == ([7, 8], [2.0, 3.0])
    assert len(shown["ELBO"]) == 8
    with pytest.raises(ValueError, match="no metric"):
        pictures.compared_curves({"a": {"elbo": [1.0]}}, "curves.png")


def test_one_legend_beside_the_panels_names_every_model_once(monkeypatch):
    figures = []
    monkeypatch.setattr(_figure, "save", lambda figure, path: figures.append(figure))
    names = ["uncoded_8", "coded_8_80", "coded_8_240"]
    histories = {name: {"val_elbo": [1.0, 2.0], "val_kl": [0.0, 9.0]} for name in names}
    pictures.compared_curves(histories, "curves.png")
    (figure,) = figures
    assert not any(panel.get_legend() for panel in figure.axes)  # inside a panel it would cover lines
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == names
    figure.canvas.draw()
    assert all(legend.get_window_extent().y0 >= panel.get_window_extent().y1 for panel in figure.axes)


def test_reliability_diagram(tmp_path):
    rng = np.random.default_rng(0)
    confidence = rng.uniform(0.3, 0.9, 500)  # the outer bins are empty
    edges = calibration.bin_edges(confidence)
    calibrated = calibration.reliability(confidence, rng.random(500) < confidence, edges)
    surer = calibration.reliability(confidence, rng.random(500) < confidence - 0.3, edges)
    pictures.reliability_diagram({"words": calibrated, "bits": surer}, tmp_path / "both.png", "mine")
    found = read(tmp_path / "both.png")
    assert found.shape[1] == int(2 * 3.8 * 120)
    # The tint between points and diagonal is the gap: there is far more of it in the second panel.
    tint = np.abs(found[..., :3].astype(int) - (242, 207, 180)).sum(axis=-1) < 30
    middle = found.shape[1] // 2
    assert tint[:, middle:].sum() > 3 * tint[:, :middle].sum()


def test_reliability_diagrams_say_whose_probability_it_is(monkeypatch):
    edges = calibration.bin_edges([0.5])
    bins = dict.fromkeys(("words", "bits", "reconstruction", "other"), calibration.reliability([0.5], [1], edges))
    figure = drawn(monkeypatch, lambda: pictures.reliability_diagram(bins, "both.png", "mine"))
    assert figure.legends[0].get_title().get_text() == "mine"
    above, below = figure.axes[:4], figure.axes[4:]
    assert [panel.get_xlabel() for panel in below] == [
        "posterior probability of the likeliest word",
        "posterior probability of a bit's likelier value",
        "posterior probability of the likeliest word",
        "confidence",
    ]
    assert above[2].get_ylabel() == "share that show the true class"
    assert above[0].get_title() == "words: calibration error 0.500"


def test_reliability_diagram_without_questions(tmp_path):
    with pytest.raises(ValueError, match="nothing to draw"):
        pictures.reliability_diagram({}, tmp_path / "none.png")
