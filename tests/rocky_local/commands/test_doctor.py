from __future__ import annotations


def test_an_empty_state_file_is_left_behind_and_still_reads_as_none(project):
    project.models(m="SELECT 1 AS k")

    answers = [project.run("doctor", "--check", "state_schema").json for _ in range(2)]

    assert (project.folder / "models/.rocky-state.local.sqlite").read_bytes() == b""
    assert not (project.folder / "models/.rocky-state.local.sqlite.lock").exists()
    assert {answer["checks"][0]["message"] for answer in answers} == {
        "no on-disk state schema (binary supports v22)"
    }
    assert project.run("state").json["schema_version_on_disk"] is None
    assert project.run("run").code == 0


def test_no_folder_is_made_for_a_state_file(project):
    project.models(m="SELECT 1 AS k")

    assert project.run("doctor", "--state-path", "elsewhere/s.redb").json["overall"] == "healthy"
    assert not (project.folder / "elsewhere").exists()


def test_the_suggestions_are_those_of_the_checks_shown(project):
    config, pipelines, state = (
        project.run("doctor", "--check", name) for name in ("config", "pipelines", "state")
    )

    assert (config.code, config.json["suggestions"]) == (3, ["Fix config file at rocky.toml"])
    assert [text.split(":")[0] for text in pipelines.json["suggestions"]] == ["pipelines"]
    assert (state.code, state.json["suggestions"]) == (0, [])
