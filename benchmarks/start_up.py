"""Start-up time of the commands that need no TensorFlow, against importing TensorFlow.

python -m benchmarks.start_up
"""

import subprocess
import sys
import time

from tfcoded import cli

# Command line, its arguments, and what it must print to count.
COMMANDS = {
    "python -m tfcoded.train --help": (["-m", "tfcoded.train", "--help"], "--epochs"),
    "python -m tfcoded.zoo": (["-m", "tfcoded.zoo"], "coded_10_300"),
    "import tensorflow": (["-c", "import tensorflow; print('imported')"], "imported"),
}


def main():
    seconds = {}
    for name, (arguments, expected) in COMMANDS.items():
        times = []
        for _ in range(3):
            start = time.perf_counter()
            done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False)
            times.append(time.perf_counter() - start)
            if expected not in done.stdout:
                raise RuntimeError(f"{name} failed: {done.stderr}")
        seconds[name] = min(times)
    whole = seconds["import tensorflow"]
    for name, best in seconds.items():
        print(f"{name:32} {best:6.2f} s, {best / whole:.2f} of the import of TensorFlow (best of 3)")


if __name__ == "__main__":
    cli.run(main)
