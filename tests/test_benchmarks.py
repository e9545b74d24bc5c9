"""What the benchmarks refuse; what they measure is not tested."""

import commands
import pytest


@pytest.mark.parametrize(
    "module, argument, message",
    [
        ("saved_model", "--model=bwlc_joint_snr1", "bwlc_joint_snr1 is a communication system; expected a Coded-DVAE"),
        ("saved_model", "--model=coded_8_24", "unknown model 'coded_8_24'; did you mean 'coded_8_240'?"),
        ("objectives", "--models=", "--models= names none; expected configurations of Coded-DVAEs"),
        ("objectives", "--models=uncoded_8,bwlc_joint_snr1", "bwlc_joint_snr1 is a communication system"),
        ("objectives", "--models=uncoded_8,uncoded_9", "unknown model 'uncoded_9'"),
        ("objectives", "--one=bwlc_joint_snr1", "bwlc_joint_snr1 is a communication system"),
    ],
)
def test_bad_input_is_one_line(module, argument, message):
    done = commands.run(f"benchmarks.{module}", argument)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: ") and message in done.stderr and done.stderr.count("\n") == 1
