"""The published networks on real images, for as long as a test may take."""

from tfcoded import codes, data
from tfcoded.models import AdamL2, CodedDVAE


def test_forty_steps_on_fashion_mnist_improve_the_bound(fashion):
    """Full-size coded_8_80, half the published batch.

    Measured: from -494.3 to -385.9 nats with this seed; -386.8 and -381.2 at the end with seeds 1 and 2 (at the start the
    bound depends on the seed through the bias of the last layer). Seeds are fixed, so a false failure would need other
    arithmetic: with oneDNN on and off the improvement is 108.37 and 108.36. Half the learning rate improves the bound by 92 nats only.
    """
    model = CodedDVAE(codes.Repetition(8, 80), (28, 28, 1), seed=0)
    model.compile(AdamL2(learning_rate=1e-4, l2=1e-4), jit_compile=False)
    test = data.test_pipeline(fashion.test_images[:500], 100)
    before = model.evaluate(test, verbose=0, return_dict=True)["elbo"]
    assert -497 < before < -491
    model.fit(data.training_pipeline(fashion.train_images[:2560], 64, seed=0, epochs=1), verbose=0, shuffle=False)
    after = model.evaluate(test, verbose=0, return_dict=True)["elbo"]
    assert 103 < after - before < 114
