"""README, docs/ and docstrings: commands exist with the flags they are given, code runs, links lead somewhere."""

import ast
import os
import pathlib
import re
import subprocess
import sys
import tomllib

import commands
import numpy as np
import pytest
import tiny_networks
import yaml
from markdown.extensions import toc

from tfcoded import config, families, zoo
from tfcoded.zoo import verification

ROOT = pathlib.Path(__file__).resolve().parents[1]
TEXTS = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for path in sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "zoo" / "README.md"])
}
_MODULE = re.compile(r"python -m ((?:tfcoded|export|benchmarks)[\w.]*)([^\n`|]*)")
_LINK = re.compile(r"\]\((?!\w+:)([^)#\s]*)(?:#([^)\s]+))?\)")


def docstrings():
    """Those of all modules, which `--help` shows of commands."""
    for folder in ("tfcoded", "export", "benchmarks", "examples"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""


def used_flags():
    """module -> the flags that the texts give it."""
    found = {}
    for text in [*TEXTS.values(), *docstrings()]:
        for module, arguments in _MODULE.findall(re.sub(r"\\\n", " ", text)):
            flags = re.findall(r"--(?:no)?([a-z_0-9]+)", arguments.partition(" #")[0].partition("&&")[0])
            found.setdefault(module, set()).update(flags)
    return found


@pytest.mark.parametrize("module", sorted(used_flags()))
def test_flags_are_those_of_the_command(module):
    done = subprocess.run(
        [sys.executable, "-m", module, "--help"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    known = {"help"} | set(re.findall(r"--(?:\[no\])?([a-z_0-9]+)", done.stdout))
    assert {flag.removeprefix("no") if flag not in known else flag for flag in used_flags()[module]} <= known


def blocks(language):
    """(name of the text, block) of each block of code in this language."""
    for name, text in TEXTS.items():
        for block in re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL):
            yield name, block


def test_python_runs(tmp_path):
    """In one process, since importing TensorFlow takes longest; not what needs a training or a server."""
    (tmp_path / "zoo").symlink_to(ROOT / "zoo")
    np.save(tmp_path / "mine.npy", np.zeros([2, 28, 28, 1], np.uint8))
    script = ""
    for number, (name, block) in enumerate(blocks("python")):
        if "runs/" not in block and "grpc" not in block:
            script += (
                f"exec(compile({block!r}, {f'{name}, block {number}'!r}, 'exec'), {{'__name__': 'block_{number}'}})\n"
            )
    assert script.count("exec(compile(") >= 5
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert (tmp_path / "generated.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "tuned.keras").exists()


def test_a_code_of_ones_own_trains(tmp_path):
    """The README's, as a plug-in of a command."""
    (block,) = (block for name, block in blocks("python") if name == "README.md" and "@codes.register" in block)
    (tmp_path / "interleaved.py").write_text(block)
    np.save(tmp_path / "images.npy", np.random.default_rng(0).integers(0, 256, [40, 28, 28, 1]).astype(np.uint8))
    settings = tiny_networks.CONFIG.format(dataset=tmp_path / "images.npy")
    code = "code: {kind: interleaved, information_bits: 4, code_bits: 20}"
    (tmp_path / "mine.yaml").write_text(re.sub("^code: .*", code, settings, flags=re.MULTILINE))
    flags = ("--plugin=interleaved", "--config=mine.yaml", "--workdir=mine", "--epochs=1", "--runs=2", "--words=20")
    done = commands.run("tfcoded.train", *flags, cwd=tmp_path, prepare=tiny_networks.PREPARE)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "kind: interleaved" in (tmp_path / "mine" / "config.yaml").read_text()


def test_configurations_are_valid():
    found = [config.from_yaml(block, name) for name, block in blocks("yaml")]
    assert [each.name for each in found if each.dataset == "pictures"] == ["mine"]


def test_the_readme_fits_two_screens():
    assert len(TEXTS["README.md"].splitlines()) <= 160
    assert len(TEXTS["docs/reproduction.md"].splitlines()) <= 120


def test_the_papers_are_cited_alike():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    readme = " ".join(TEXTS["README.md"].split())
    for paper in citation["references"]:
        authors = ", ".join(author["family-names"] for author in paper["authors"])
        assert f"[{paper['title']}]({paper['url']}), {authors};" in readme and str(paper["year"]) in readme


def test_the_layout_is_that_of_the_contract():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    layers = settings["tool"]["importlinter"]["contracts"][0]["layers"]
    rooms = [[name.removeprefix("tfcoded.") for name in layer.split(" | ")] for layer in reversed(layers)]
    table = TEXTS["docs/contributing.md"].split("| room | what it holds |")[1].split("\n\n")[0]
    shown = [re.findall(r"`(?:tfcoded/)?(\w+)/?`", line.split("|")[1]) for line in table.splitlines()[2:]]
    commands_room = next(room for room in rooms if "train" in room)
    assert [set(room) for room in rooms if room != commands_room] == [
        set(room) for room in shown if "experiments" not in room
    ]


def anchors(path):
    """Of the headings of a text, where a page of the repository and the site agree on them."""
    text = re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE):
        repository = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        if repository == toc.slugify(heading, "-"):
            yield repository


@pytest.mark.parametrize("name", TEXTS)
def test_links_lead_somewhere(name):
    for target, anchor in _LINK.findall(TEXTS[name]):
        path = (ROOT / name).parent / target if target else ROOT / name
        assert path.is_file(), target
        assert not anchor or anchor in anchors(path), f"{target}#{anchor}"


def test_the_site_builds(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", tmp_path / "site"],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    page = (tmp_path / "site" / "results" / "index.html").read_text(encoding="utf-8")
    (picture, *_) = re.findall(r'<img[^>]* src="([^"]+)"', page)
    assert (tmp_path / "site" / "results" / picture).is_file()
    assert "soft_decode" in (tmp_path / "site" / "api" / "codes" / "index.html").read_text(encoding="utf-8")
    for path in (tmp_path / "site").rglob("*.html"):  # a reader's browser asks no other server for anything
        text = path.read_text(encoding="utf-8")
        assert not re.search(r'<(?:script|img)[^>]* src="(?:https?:)?//|<link[^>]* rel="stylesheet" href="http', text)


def test_every_signature_is_described():
    sections = TEXTS["docs/serving.md"].split("\n### ")[1:4]
    for section, name in zip(sections, ("hier_5_100", "bwlc_joint_snr1", "classifier_mnist"), strict=True):
        described = {}
        for names, *sides in re.findall(r"^\| (`.+?) \| (.+?) \| (.+?) \|$", section, re.MULTILINE):
            for signature in re.findall(r"`(\w+)`", names):
                described[signature] = tuple(set(re.findall(r"`(\w+)`", side)) for side in sides)
        if name.startswith(zoo.CLASSIFIER):
            signatures = verification._classifier_signatures(zoo.load_trained(name))
        else:
            settings = zoo.config(name)
            signatures = families.of(settings).signatures(settings)
        expected = {key: (set(given), set(got)) for key, (given, got) in signatures.items()}
        assert described == {key: sides for key, sides in expected.items() if not key.endswith("_float")}
