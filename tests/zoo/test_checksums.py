import subprocess

import pytest

from tfcoded.utils.errors import UserError
from tfcoded.zoo import checksums


@pytest.fixture(name="root")
def _root(tmp_path):
    for name in ("b/1/saved_model.pb", "b/1/variables/v", "b/golden.npz", "a/2/x", "a/README.md", "ab/1/y"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    return tmp_path


def names(root):
    return list(checksums.read(root))


def test_an_index_is_of_all_entries_and_as_sha256sum_writes_it(root):
    assert checksums.read(root) is None and checksums.verify(root, "b") == 0
    checksums.update(root, "b")
    listed = ["a/2/x", "ab/1/y", "b/1/saved_model.pb", "b/1/variables/v", "b/golden.npz"]
    assert names(root) == listed
    written = subprocess.run(["sha256sum", *listed], cwd=root, capture_output=True, text=True, check=True).stdout
    assert (root / "SHA256SUMS").read_text() == written
    assert [checksums.verify(root, part) for part in ("a", "b", "b/1", "ab")] == [1, 3, 2, 1]


def test_an_entry_is_forgotten_and_listed_again(root):
    checksums.forget(root, "a")  # and not `ab`, whose name begins alike
    assert names(root) == ["ab/1/y", "b/1/saved_model.pb", "b/1/variables/v", "b/golden.npz"]
    with pytest.raises(UserError, match="a/2/x is not listed"):
        checksums.verify(root, "a")
    (root / "a/2/x").write_text("new")
    checksums.update(root, "a")
    assert names(root)[0] == "a/2/x" and checksums.verify(root, "a") == 1


def new_files(root):
    folder = root / ".new" / "files"
    (folder / "1").mkdir(parents=True)
    for name in ("1/saved_model.pb", "README.md"):
        (folder / name).write_text("new")
    return folder


def test_files_are_exchanged_and_the_others_stay(root):
    checksums.update(root, "b")
    for name in ("notes.txt", "old.png"):
        (root / "b" / name).write_text("old")
    new = new_files(root)
    checksums.exchange(root, "b", new, ["old.png", "golden.npz"])
    found = {path.relative_to(root / "b").as_posix(): path.read_text() for path in (root / "b").rglob("*.*")}
    assert found == {"1/saved_model.pb": "new", "README.md": "new", "notes.txt": "old"}
    assert not list(new.iterdir()) and (new.parent / "old_1" / "variables" / "v").exists()
    assert checksums.verify(root, "b") == 1 and names(root) == ["a/2/x", "ab/1/y", "b/1/saved_model.pb"]


def test_what_is_exchanged_in_part_is_not_loaded(root, monkeypatch):
    checksums.update(root, "b")
    monkeypatch.setattr(checksums, "update", None)  # the last step fails
    with pytest.raises(TypeError):
        checksums.exchange(root, "b", new_files(root))
    with pytest.raises(UserError, match="b/1/saved_model.pb is not listed"):
        checksums.verify(root, "b/1")


def test_a_new_entry_of_a_folder_without_an_index(root):
    checksums.exchange(root, "c", new_files(root))
    assert (root / "c" / "1" / "saved_model.pb").read_text() == "new" and checksums.read(root) is None


def test_each_kind_of_damage_is_named(root):
    checksums.update(root, "b")
    (root / "b/1/saved_model.pb").write_text("B/1/saved_model.pb")
    (root / "b/1/variables/v").unlink()
    (root / "b/1/more").write_text("")
    with pytest.raises(UserError) as error:
        checksums.verify(root, "b/1")
    for part in ("saved_model.pb is damaged", "variables/v is missing", "b/1/more is not listed"):
        assert part in str(error.value)
    assert "golden" not in str(error.value)


@pytest.mark.parametrize(
    "text",
    [
        "zz  a/2/x\n",
        f"{'0' * 64}  a/2/x\n{'1' * 64}  a/2/x\n",
        f"{'0' * 64} a/2/x\n",
        *(f"{'0' * 64}  {name}\n" for name in ("/etc/passwd", "../a/1/x", "a/../../b/1/x", "./a/1/x", "a//1/x", "..")),
    ],
)
def test_a_damaged_index_is_refused(root, text):
    (root / "SHA256SUMS").write_text(text)
    with pytest.raises(UserError, match="SHA256SUMS: line"):
        checksums.verify(root, "a")


def test_binary_mode_of_sha256sum_is_read(root):
    checksums.update(root, "b")
    path = root / "SHA256SUMS"
    path.write_text(path.read_text().replace("  ", " *"))
    assert checksums.verify(root, "b") == 3


def test_the_files_of_a_folder_are_compared_if_they_are_listed(root, monkeypatch):
    checksums.verify_listed(root / "b/1")  # there is no index
    checksums.update(root, "b")
    checksums.verify_listed(root / "b/1")
    (root / "b/2").mkdir()
    (root / "b/2/own").write_text("a model of one's own")
    checksums.verify_listed(root / "b/2")
    (root / "b/1/variables/v").write_text("damaged")
    monkeypatch.chdir(root / "b")
    for folder in (root / "b/1", "1", root / "a/../b/1"):
        with pytest.raises(UserError, match="b/1/variables/v is damaged"):
            checksums.verify_listed(folder)


def test_an_index_that_cannot_be_read_is_refused(root):
    """Nobody knows then whether it lists the files."""
    path = root / "SHA256SUMS"
    path.write_bytes(b"\xff\xfe")
    for call in (lambda: checksums.verify(root, "b"), lambda: checksums.verify_listed(root / "b/1")):
        with pytest.raises(UserError, match="cannot read .*SHA256SUMS: it is no text in UTF-8"):
            call()
    path.unlink()
    path.mkdir()
    with pytest.raises(UserError, match="cannot read .*SHA256SUMS: Is a directory"):
        checksums.verify_listed(root / "b/1")


@pytest.mark.parametrize("link", ["b", "b/1", "b/1/variables"])
def test_no_link_leads_out_of_a_folder_with_an_index(root, tmp_path_factory, link):
    checksums.update(root, "b")
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "there"
    (root / link).rename(elsewhere)
    (root / link).symlink_to(elsewhere)
    for call in (
        lambda: checksums.verify(root, "b"),
        lambda: checksums.verify(root, "b/1"),
        lambda: checksums.verify_listed(root / "b/1"),
    ):
        with pytest.raises(UserError, match=f"{link} is a symbolic link; expected a folder"):
            call()
    assert checksums.verify(root, "a") == 1


def test_a_link_to_a_listed_folder_is_compared_too(root, tmp_path_factory):
    checksums.update(root, "b")
    link = tmp_path_factory.mktemp("mine") / "latest"
    link.symlink_to(root / "b/1")
    checksums.verify_listed(link)
    (root / "b/1/variables/v").write_text("damaged")
    with pytest.raises(UserError, match="b/1/variables/v is damaged"):
        checksums.verify_listed(link)


def test_an_entry_is_not_taken_for_one_whose_name_ends_alike(root):
    checksums.update(root, "b")
    index = root / "SHA256SUMS"
    index.write_text("".join(line for line in index.read_text().splitlines(True) if "  ab/" in line))
    (root / "b/1/variables/v").write_text("a model of one's own, unlisted")
    checksums.verify_listed(root / "b/1")
