"""A private copy of a project makes the engine build the chosen models and nothing else."""

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagster_rocky.engine import toml_edit
from dagster_rocky.engine.errors import RockyFailure
from dagster_rocky.engine.private_project import write_private_project
from dagster_rocky.engine.request import ChosenModel, RunRequest
from dagster_rocky.resource import RockyResource, run_result
from support.recorded import ENGINE, copy_project
from support.seeding import opened

SPELLINGS = [
    ('[pipeline.p]\ntype = "transformation"\nmodels = "models/**"\n', "p"),
    ('[pipelines.p]\ntype = "transformation"\nmodels = "models/**" # all of them\n', "p"),
    ('[pipeline."p"]\ntype = "transformation"\n"models" = "models/**"\n', "p"),
    ('[ pipeline . p ]\r\ntype = "transformation"\r\nmodels = "models/**"\r\n', "p"),
    ('[pipeline]\ntype = "transformation"\nmodels = "models/**"\n', "default"),
    ('[pipelines.default]\nmodels = """models/**"""\ntype = "transformation"\n', "default"),
    ('\ufeff[pipeline.p]\ntype = "transformation"\n  models = "models/**"\n', "p"),
    ('pipeline.p.type = "transformation"\npipeline.p.models = "models/**"\n', "p"),
    ('[pipeline]\np.type = "transformation"\np.models = "models/**"\n', "p"),
    ('[pipeline.p]\ntype = "transformation"', "p"),
    (
        '[pipeline.p]\ntype = "transformation"\n\n[pipeline.p.execution]\nmodels = "no"\nconcurrency = ${N:-2}\n',
        "p",
    ),
    ('[pipeline.p.target]\nadapter = "default"\n[pipeline.p]\nmodels = "${ROOT:-models}/**"\n', "p"),
    (
        '[x]\na = [\n "[pipeline.p]",\n "models = 1",\n]\nb = """\n[pipeline.p]\nmodels = "x"\n"""\n'
        '[pipeline.p]\nmodels = "models/**"\n',
        "p",
    ),
]


def plain(text: str) -> dict:
    return toml_edit.parse(text)


@pytest.mark.parametrize(("text", "pipeline"), SPELLINGS)
def test_only_the_line_of_the_models_changes_in_any_spelling(
    tmp_path: Path, text: str, pipeline: str
) -> None:
    project, private = tmp_path / "project", tmp_path / "private"
    (project / "models").mkdir(parents=True)
    private.mkdir()
    (project / "models" / "a.sql").write_text("select 1 as n")
    (project / "rocky.toml").write_bytes(text.encode())
    write_private_project(
        private / "rocky.toml",
        project / "rocky.toml",
        pipeline,
        [ChosenModel(name="a", path="models/a.sql")],
    )
    copy = (private / "rocky.toml").read_bytes().decode()
    document = plain(copy)
    body = document.get("pipeline") or document["pipelines"]
    assert (body if body.get("type") else body[pipeline])["models"] == "sel/**"
    before, after = text.splitlines(keepends=True), copy.splitlines(keepends=True)
    changed = [line for line in after if line not in before]
    assert len(changed) <= 2, changed
    assert sum("sel/**" in line for line in changed) == 1
    assert copy.startswith("\ufeff") == text.startswith("\ufeff")
    assert sorted(path.name for path in (private / "sel").iterdir()) == ["a.sql"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('pipeline = { p = { models = "models/**" } }', "no line"),
        ('[pipeline.p]\nmodels = ["models/**", "more/**"]\n', "several roots"),
        ('imports = ["base.toml"]\n[pipeline.p]\nmodels = "models/**"\n', "imports"),
        ('[pipeline.p]\nmodels = "elsewhere/**"\n', "not below"),
        ("[pipeline.p\n", "TOML|Expected"),
        ('[pipeline.other]\nmodels = "models/**"\n', "no line"),
    ],
)
def test_what_cannot_be_copied_in_part_says_why(tmp_path: Path, text: str, why: str) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "a.sql").write_text("select 1 as n")
    (tmp_path / "rocky.toml").write_text(text)
    (tmp_path / "private").mkdir()
    with pytest.raises(RockyFailure, match=why) as raised:
        write_private_project(
            tmp_path / "private" / "rocky.toml",
            tmp_path / "rocky.toml",
            "p",
            [ChosenModel(name="a", path="models/a.sql")],
        )
    assert raised.value.kind == "private_project"


def test_the_tree_of_the_models_is_kept_with_all_that_the_engine_reads_beside_them(tmp_path: Path) -> None:
    models = tmp_path / "project" / "models"
    files = {
        "a.sql": "select 1 as n",
        "a.toml": 'depends_on = ["north", "gone"] # order\nname = "first"\n[target]\nschema = "s"\n',
        "a.contract.toml": "",
        "north/a.sql": "select 2 as n",
        "north/a.toml": 'name = "north"\n',
        "north/_defaults.toml": "",
        "south/a.rocky": "from x.y",
        "south/_defaults.toml": "",
        "deep/er/b.rocky": "from x.y",
        "deep/_defaults.toml": "",
        "_defaults.toml": "",
        "groups/g.toml": 'schema_template = "s"\n',
        "test_definitions.toml": "",
    }
    for name, text in files.items():
        (models / name).parent.mkdir(parents=True, exist_ok=True)
        (models / name).write_text(text)
    (tmp_path / "project" / "rocky.toml").write_text('[pipeline.p]\nmodels = "./models/**"\n')
    private = tmp_path / "private"
    private.mkdir()
    write_private_project(
        private / "rocky.toml",
        tmp_path / "project" / "rocky.toml",
        "p",
        [
            ChosenModel(name="north", path="models/north/a.sql"),
            ChosenModel(name="first", path="models/a.sql", after=("north", "b")),
            ChosenModel(name="b", path="models/deep/er/b.rocky", after=("north",)),
        ],
    )
    tree = {str(path.relative_to(private / "sel")) for path in (private / "sel").rglob("*") if path.is_file()}
    south = {name for name in files if name.startswith("south")}
    assert tree == (files.keys() - south) | {"deep/er/b.toml"}
    sidecar = (private / "sel" / "a.toml").read_text()
    assert sidecar == 'depends_on = ["north", "b"]\nname = "first"\n[target]\nschema = "s"\n'
    assert tomllib.loads((private / "sel" / "deep/er/b.toml").read_text()) == {"depends_on": ["north"]}
    assert (private / "sel" / "north" / "a.toml").is_symlink()
    assert (models / "a.toml").read_text() == files["a.toml"]


KEYS = st.sampled_from(["name", "depends_on", "tags", "x y", "größe", "a.b"])
VALUES = st.recursive(
    st.one_of(st.integers(-5, 5), st.booleans(), st.sampled_from(["", "a # b", 'q"q', "[t]", "= 1", "${X}"])),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=4,
)


def written(value: object, spread: bool) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        between = ",\n  # [not.a.table]\n  " if spread else ", "
        return "[" + between.join(written(item, spread) for item in value) + ("\n]" if spread else "]")
    return (
        f"'''{value}'''"
        if isinstance(value, str) and spread
        else str(value)
        if isinstance(value, int)
        else _quoted(value)
    )


def _quoted(value: object) -> str:
    return '"' + str(value).replace("\\", "\\\\").replace('"', '\\"') + '"'


@given(
    st.dictionaries(KEYS, VALUES, max_size=4),
    st.dictionaries(KEYS, VALUES, max_size=3),
    st.lists(st.sampled_from(["a", "b c", "größe"]), max_size=3),
    st.booleans(),
)
def test_a_value_is_replaced_and_every_other_stays(top, below, value, spread):
    def block(values: dict) -> str:
        return "".join(f"{_quoted(key)} = {written(item, spread)} # note\n\n" for key, item in values.items())

    text = f"# depends_on = 1\n{block(top)}[target]\n{block(below)}[[tests]]\ntype = 'x'\n"
    edited = toml_edit.set_value(text, [("depends_on",)], value)
    assert plain(edited) == {**plain(text), "depends_on": value}
    assert edited.partition("[target]")[2] == text.partition("[target]")[2]
    notes = [line for line in edited.partition("[target]")[0].splitlines() if "# note" in line]
    assert len(notes) == len(top.keys() - {"depends_on"})


UNPARTITIONED = {
    "stg_shops": (),
    "stg_deliveries": (),
    "dim_shop": ("stg_shops",),
    "busy_shops": ("stg_deliveries",),
    "delivery_log": ("stg_deliveries",),
    "scorecard_north": ("stg_deliveries", "dim_shop"),
}


def relations(folder: Path, empty: bool = False) -> dict[str, int]:
    """Tables and views of the models with their row counts, after taking the rows out of one of them."""
    with opened(folder / "bakery.duckdb") as connection:
        if empty:
            connection.execute("delete from staging.stg_shops")
        found = connection.sql(
            "select table_schema, table_name from information_schema.tables where table_schema <> 'pantry'"
        ).fetchall()
        return {
            name: connection.sql(f'select count(*) from "{schema}"."{name}"').fetchall()[0][0]
            for schema, name in found
        }


@pytest.mark.parametrize(
    "names",
    [
        ("stg_shops", "stg_deliveries"),
        ("scorecard_north", "dim_shop", "stg_shops", "stg_deliveries"),
        ("busy_shops", "delivery_log"),
        ("delivery_log", "scorecard_north", "busy_shops"),
        ("dim_shop", "scorecard_north"),
    ],
)
def test_the_engine_builds_exactly_the_chosen_models_in_order(tmp_path: Path, names: tuple[str, ...]) -> None:
    folder = copy_project("marts", tmp_path / "marts")
    resource = RockyResource(binary_path=str(ENGINE), config_path=str(folder / "rocky.toml"))
    if not {"stg_shops", "stg_deliveries"} <= set(names):
        for needed in ("stg_shops", "stg_deliveries", "dim_shop"):
            assert resource.run(pipeline="marts", model=needed).exit_code == 0
    before = relations(folder, empty="stg_shops" not in names)
    request = RunRequest(
        pipeline="marts",
        models=tuple(
            ChosenModel(
                name=name,
                path=next(str(p.relative_to(folder)) for p in folder.glob(f"models/{name}.[sr]*")),
                after=tuple(other for other in UNPARTITIONED[name] if other in names),
            )
            for name in names
        ),
    )
    files = {path for path in folder.rglob("*") if "rocky-" not in path.name and ".rocky" not in path.parts}
    with resource.invoke(request, mode="buffered") as invocation:
        result = run_result(invocation)
        private = Path(invocation.command.split(" -c ")[1].split()[0]).parent
        assert private.is_dir()
    assert not private.exists()
    assert result.exit_code == 0, result.errors
    tables = {"scorecard_north": "scorecard"}
    built = [item.asset_key[-1] for item in result.materializations]
    assert sorted(built) == sorted(tables.get(name, name) for name in names)
    for name in names:
        for other in UNPARTITIONED[name]:
            if other in names:
                assert built.index(tables.get(other, other)) < built.index(tables.get(name, name))
    after = relations(folder)
    assert after.keys() - before.keys() <= {tables.get(name, name) for name in names}
    assert "stg_shops" in names or after["stg_shops"] == 0, "rebuilt though nobody chose it"
    left = {path for path in folder.rglob("*") if "rocky-" not in path.name and ".rocky" not in path.parts}
    assert left == files
