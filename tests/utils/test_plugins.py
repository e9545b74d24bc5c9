import os
import subprocess
import sys

import pytest

from tfcoded.utils import plugins
from tfcoded.utils.errors import UserError


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "modules", dict(sys.modules))
    monkeypatch.setenv(plugins.ENVIRONMENT, "")
    return tmp_path


def test_modules_of_the_current_folder_and_of_the_environment(folder, monkeypatch):
    for name in ("one", "two"):
        (folder / f"{name}.py").write_text("")
    (folder / "inside").mkdir()
    (folder / "inside/three.py").write_text("")
    monkeypatch.setenv(plugins.ENVIRONMENT, " two, ")
    plugins.load(["one", "inside.three", "one"])
    assert {"one", "two", "inside.three"} <= set(sys.modules)
    assert os.environ[plugins.ENVIRONMENT] == "two,one,inside.three"  # for the commands that this one starts


@pytest.mark.parametrize(
    ("text", "name", "message"),
    [
        (None, "absent", "--plugin=absent: there is no such module in {folder} or among the installed packages"),
        (None, "a.b", "--plugin=a.b: there is no such module in {folder} or among the installed packages"),
        ("", "mine.py", "--plugin=mine.py: expected the name of a module as after import, such as mine for the file"),
        ("", "", "--plugin=: expected the name of a module as after import"),
        ("", "mine.", "--plugin=mine.: expected the name of a module as after import"),
        (
            "import gone",
            "mine",
            "the import raised ModuleNotFoundError: No module named 'gone' ({folder}/mine.py, line 1)",
        ),
        ("\nx = 1 / 0", "mine", "raised ZeroDivisionError: division by zero ({folder}/mine.py, line 2)"),
        ("raise ValueError('no\\nluck')", "mine", "raised ValueError: no luck ({folder}/mine.py, line 1)"),
        ("\n\ndef f(:", "mine", "raised SyntaxError: invalid syntax (mine.py, line 3) ({folder}/mine.py, line 3)"),
        ("import sys\nsys.exit(3)", "mine", "raised SystemExit: 3 ({folder}/mine.py, line 2)"),
        (
            "from tfcoded.utils.errors import UserError\nraise UserError('there is a code mine')",
            "mine",
            "--plugin=mine: there is a code mine",
        ),
    ],
)
def test_what_cannot_be_imported_is_named(folder, text, name, message):
    if text is not None:
        (folder / "mine.py").write_text(text)
    with pytest.raises(UserError) as raised:
        plugins.load([name])
    assert message.format(folder=folder) in str(raised.value) and "\n" not in str(raised.value)
    assert os.environ[plugins.ENVIRONMENT] == ""


def test_every_command_imports_them_before_its_flags_are_defined(folder):
    (folder / "mine.py").write_text("from absl import flags\nflags.DEFINE_integer('mine', 3, 'Mine.')\nprint('here')")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}

    def zoo(*arguments, **more):
        command = [sys.executable, "-m", "tfcoded.zoo", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False, env=environment | more)

    for done in (
        zoo("coded_8_80", "--plugin", "mine", "--mine=4"),
        zoo("--plugin=mine", "coded_8_80"),
        zoo("coded_8_80", TFCODED_PLUGINS="mine"),
    ):
        assert (done.returncode, done.stderr) == (0, "") and done.stdout.startswith("here\n# ")
    done = zoo("--plugin=absent", "--model=unknown")  # the first mistake
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: --plugin=absent: there is no such module") and done.stderr.count("\n") == 1
    done = zoo("--plugin")
    assert done.stderr == "error: Missing value for flag --plugin; --help lists the flags\n"
    assert "--plugin: Module to import first" in zoo("--help").stdout
