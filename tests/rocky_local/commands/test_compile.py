from __future__ import annotations


def test_findings_keep_the_project_readable_and_fail_the_command(project):
    project.models(
        daily="SELECT t AS d FROM s.log---[strategy]\ntype='time_interval'\ntime_column='d'\ngranularity='day'",
        scoped="SELECT a FROM s.t WHERE b = '@var(region)'",
        fine="SELECT a FROM s.t",
    )

    answer = project.run("compile")

    assert answer.code == 1
    found = {(entry["model"], entry["code"]) for entry in answer.json["diagnostics"]}
    assert found == {("daily", "E024"), ("scoped", "E028")}
    assert answer.stderr.endswith("Error: compilation failed with errors\n")
    assert project.run("compile", "--model", "fine").code == 0


def test_a_run_variable_from_the_command_line_satisfies_the_model(project):
    project.models(scoped="SELECT a FROM s.t WHERE b = '@var(region)'")

    assert project.run("compile", "--var", "region=north").code == 0
    assert project.run("compile", "--var", "region").stderr.startswith("Error: invalid --var 'region'")


def test_a_cycle_and_an_unknown_dependency_give_no_json(project):
    project.models(a="SELECT x FROM out.b---depends_on=['b']", b="SELECT x FROM out.a---depends_on=['a']")
    cycle = project.run("compile")
    project.models(a="SELECT 1 AS x---depends_on=['nobody']", b="SELECT 1 AS x")
    unknown = project.run("compile")

    assert (cycle.code, cycle.stdout, unknown.code, unknown.stdout) == (1, "", 1, "")
    assert 'circular dependency detected involving: ["a", "b"]' in cycle.stderr
    assert "Error: unknown dependency 'nobody' referenced by 'a'" in unknown.stderr


def test_a_contract_beside_its_model_counts_and_says_so(project):
    project.models(t="SELECT a, COUNT(b) AS n FROM s.t GROUP BY a")
    project.write(
        {"models/t.contract.toml": "[[columns]]\nname='n'\nnullable=false\n[rules]\nrequired=['a']"}
    )

    answer = project.run("compile")

    assert answer.code == 0
    assert answer.json["models_detail"][0]["contract_source"] == "auto"


def test_a_separate_contract_is_seen_only_when_it_is_named(project):
    project.models(t="SELECT a FROM s.t")
    project.write({"contracts/t.contract.toml": "[[columns]]\nname='gone'\n[rules]\nprotected=['old']"})

    named = project.run("compile", "--contracts", "contracts")

    assert project.run("compile").code == 0
    assert [entry["code"] for entry in named.json["diagnostics"]] == ["W010", "E013"]
    assert named.code == 1


def test_cost_grows_along_the_graph(project):
    project.models(
        a="SELECT 1 AS x",
        b="SELECT x FROM out.a---depends_on=['a']",
        c="SELECT x FROM out.b---depends_on=['b']",
    )

    hints = [model["cost_hint"] for model in project.run("compile").json["models_detail"]]

    assert [hint["estimated_rows"] for hint in hints] == [10000, 8000, 6400]
    assert hints[0]["estimated_cost_usd"] < hints[1]["estimated_cost_usd"] < hints[2]["estimated_cost_usd"]
