"""Models are looked for where the pipelines' globs say, links included."""

import pytest

from dagster_rocky.engine.model_folders import compiled_folders, files_below, model_folders


def config(*globs: str) -> dict:
    return {
        "pipeline": {
            "landing": {"type": "replication"},
            **{f"p{n}": {"type": "transformation", "models": glob} for n, glob in enumerate(globs)},
        }
    }


@pytest.mark.parametrize(
    ("globs", "models_dir", "expected"),
    [
        (["models/**"], None, ["models"]),
        (["transforms/**", "transforms/**/*.sql"], None, ["transforms"]),
        (["a/b?/x/**", "c/[de]/**"], None, ["a", "c"]),
        (["**"], None, ["."]),
        (["models/stock.sql"], None, ["models"]),
        (["models/a/**", "models/**", "other/**"], None, ["models", "other"]),
        (["models/**"], "sql/", ["sql", "models"]),
        ([], None, []),
    ],
)
def test_folders_are_what_comes_before_the_first_wildcard(globs, models_dir, expected):
    assert model_folders(config(*globs), models_dir) == expected


def test_parts_of_the_default_folder_are_compiled_as_one(tmp_path):
    for name in ("models/a/x.sql", "models/b/y.rocky", "transforms/z.sql", "empty/notes.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    globs = config("models/a/**", "models/b/**", "transforms/**", "empty/**", "nowhere/**")
    assert compiled_folders(globs, None, tmp_path) == ["models", "transforms"]
    assert compiled_folders(config("models/a/**"), "models/a", tmp_path) == ["models/a"]


def test_links_are_followed_and_loops_are_not(tmp_path):
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / "x.sql").touch()
    models = tmp_path / "models"
    models.mkdir()
    (models / "shared").symlink_to(shared)
    (shared / "again").symlink_to(models)
    (models / "gone.sql").symlink_to(tmp_path / "nowhere")
    assert [path.relative_to(models).as_posix() for path in files_below(models)] == ["shared/x.sql"]
    assert list(files_below(tmp_path / "nowhere")) == []
