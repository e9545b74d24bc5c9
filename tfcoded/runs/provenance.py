"""Where a measured number comes from: command, hardware, versions."""

import os
import platform
import shlex
import sys

import tfcoded

PACKAGES = ("tensorflow", "keras", "tensorflow-probability", "tensorflow-datasets", "numpy")


def command():
    """The command that started this process, such as `python -m tfcoded.evaluate --model=coded_8_240`."""
    specification = getattr(sys.modules["__main__"], "__spec__", None)
    if specification is None:
        return shlex.join(["python", *sys.argv])
    module = specification.name.removesuffix(".__main__")
    return shlex.join(["python", "-m", module, *sys.argv[1:]])


def hardware():
    """The processor, the number of cores this process may use, and the accelerators TensorFlow sees."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    parts = [f"{_processor()}, {cores} core" + ("" if cores == 1 else "s")]
    if "tensorflow" in sys.modules:
        devices = sys.modules["tensorflow"].config
        for device in devices.list_physical_devices():
            if device.device_type != "CPU":
                details = devices.experimental.get_device_details(device)
                parts.append(details.get("device_name", device.device_type))
    return "; ".join(parts)


def versions():
    """`dict` from package to version, with Python's own, for what the numbers depend on."""
    import importlib.metadata  # takes a while, and most commands need no versions

    found = {"python": platform.python_version(), "tfcoded": tfcoded.__version__}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:  # tensorflow may be installed as tensorflow-cpu
            continue
    return found


def _processor():
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass  # not Linux
    return platform.processor() or platform.machine()
