"""The command line of the experiments."""

import os

import commands
import pytest


def command(arguments, folder):
    environment = {name: value for name, value in os.environ.items() if name != "TFCODED_INCEPTION"}
    return commands.run(
        "tfcoded.experiments", *arguments, cwd=folder, env={**environment, "TFCODED_CACHE": str(folder)}
    )


@pytest.mark.parametrize(
    "arguments, message",
    [
        ([], "expected an experiment: bwlc_fig4"),
        (["bwlc_fig9"], "unknown experiment 'bwlc_fig9'; expected one of bwlc_fig4"),
        (["bwlc_fig4", "--betas=0.1,x"], "--betas: 'x' is no number"),
        (["bwlc_fig4", "--seeds=0.5"], "--seeds: '0.5' is no integer"),
        (["bwlc_fig4", "--seeds="], "--seeds is empty"),
        (["bwlc_fig4", "--snrs=-1"], "--snrs: -1.0 is no number of at least 0; expected some such as 0.1,1"),
        (["bwlc_fig4", "--betas=0.1,nan"], "--betas: nan is no number of at least 0; expected some such as 0.1,1"),
        (["bwlc_fig4", "--seeds=1,-2"], "--seeds: -2 is no number of at least 0; expected some such as 0,1,2"),
        (["bwlc_fig4", "--snrs=0", "--dataset=cifar10"], "snr is 0"),
        (["bwlc_fig4", "--size=tiny", "--dataset=cifar10"], "network.size is 'tiny'"),
        (["bwlc_fig4", "--dataset=normal"], "expected images"),
        (["bwlc_fig4", "--override=x", "--dataset=cifar10"], "override 'x'"),
        (
            ["bwlc_fig6", "--distance=fid", "--dataset=cifar10"],
            "--distance=fid: no --inception; to get the FID network",
        ),
        (["bwlc_fig5", "--notrain", "--dataset=cifar10"], "6 of 6 cells of bwlc_fig5 are not measured"),
    ],
)
def test_bad_input_is_one_line(arguments, message, tmp_path):
    result = command(arguments, tmp_path)
    assert result.returncode == 2, result.stderr
    assert result.stderr.splitlines()[-1].startswith("error: ") and message in result.stderr.splitlines()[-1]


def test_help(tmp_path):
    result = command(["--help"], tmp_path)
    for word in ("bwlc_fig8", "--betas", "--channel_epochs", "--eval_images"):
        assert word in result.stdout
