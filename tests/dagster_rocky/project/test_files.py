"""A model's files: found through links, read leniently, and versioned by their contents."""

from pathlib import Path

import pytest

from dagster_rocky.project.files import current_code_version, model_files
from dagster_rocky.project.snapshot import Model


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name, text in {
        "models/a.sql": "SELECT 1 AS x",
        "models/a.toml": "intent = 'one'",
        "models/a.contract.toml": "",
        "shared/b.rocky": "from s.t",
        "shared/b.toml": "name = 'bee'",
        "contracts/bee.contract.toml": "",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    (tmp_path / "models" / "linked").symlink_to(tmp_path / "shared")
    return tmp_path


def model(name: str, project: Path, contracts_dir: str | None = "contracts") -> Model:
    """A model as a snapshot has it."""
    file = model_files(project, ["models"], contracts_dir)[name]
    return Model(
        name=name,
        target=f"c.s.{name}",
        strategy="view",
        path=file.relative,
        contract=file.contract.name if file.contract else None,
        contract_applies=file.contract_applies,
        code_version=file.code_version,
    )


def test_models_in_linked_folders_are_found_with_what_is_beside_them(project):
    files = model_files(project, ["models"], "contracts")
    assert {name: file.relative for name, file in files.items()} == {
        "a": "models/a.sql",
        "bee": "models/linked/b.rocky",
    }
    assert files["a"].contract_applies
    assert files["bee"].contract == project / "contracts" / "bee.contract.toml"
    assert not files["bee"].contract_applies


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("a", "models/a.sql"),
        ("a", "models/a.toml"),
        ("a", "models/a.contract.toml"),
        ("bee", "shared/b.rocky"),
        ("bee", "contracts/bee.contract.toml"),
    ],
)
def test_the_version_of_the_files_changes_with_each_of_them(project, name, changed):
    known = model(name, project)
    assert current_code_version(project, known, "contracts") == known.code_version
    with (project / changed).open("a") as file:
        file.write("\n# changed")
    assert current_code_version(project, known, "contracts") != known.code_version
    other = "bee" if name == "a" else "a"
    assert current_code_version(project, model(other, project), "contracts") is not None


def test_a_contract_that_is_added_is_a_change(project):
    (project / "models" / "a.contract.toml").unlink()
    known = model("a", project)
    assert known.contract is None
    (project / "contracts" / "a.contract.toml").touch()
    (project / "contracts" / "a.contract.toml").write_text("# new")
    assert current_code_version(project, known, "contracts") != known.code_version


def test_a_file_that_is_gone_has_no_version(project):
    known = model("a", project)
    (project / "models" / "a.sql").unlink()
    assert current_code_version(project, known) is None
    assert current_code_version(project, Model(name="x", target="c.s.x", strategy="")) is None


@pytest.mark.parametrize("content", [b"intent = ", b"\xff\xfe", b"name = 'a'\nname = 'b'"])
def test_a_sidecar_that_cannot_be_read_is_said_and_left_out(project, content, caplog):
    (project / "models" / "a.toml").write_bytes(content)
    assert model_files(project, ["models"], None)["a"].sidecar == {}
    assert "a.toml is left out of descriptions and tags" in caplog.text


def test_byte_order_marks_and_foreign_bytes_do_not_matter(project):
    (project / "models" / "a.sql").write_bytes(b"\xef\xbb\xbfSELECT 1 AS x -- gr\xfc\xdfe")
    assert model_files(project, ["models"], None)["a"].text.startswith("SELECT 1 AS x -- gr")
