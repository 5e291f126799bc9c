"""An embedded twin of the `rocky` engine over DuckDB: the same command line, outputs, logs and oddities.

Where each section of the engine's contract is kept:

====  ====================================  ================================================================
 1    exit codes, formats, paths            `cli`, `dispatch`, `args`, `output`, `errors`
 2    rocky.toml and models                 `project`: `config`, `pipeline`, `models`, `sidecar`;
                                            what any table may hold: `tables`; what is said of a wrong one:
                                            `toml`
 3    discover                              `commands.discover`, `execution.discovery`
 4    plan, apply                           `commands.run`
 5    run                                   `execution`: `runner`, `context`, `pipelines`, `result`, `hooks`;
                                            copies: `replication`, `copies`; models: `transformation`, `builds`,
                                            `partitions`, `skip_gate`; the graph: `dag_run`; files: `loading`
 6    checks                                `execution`: `checks`, `replication_checks`, `pipelines`
 7    drift                                 `execution.copies`
 8    other commands                        `commands`, whose modules `args.COMMANDS` names; `project`: `compiler`,
                                            `lineage`, `graph`
 9    stderr                                `tracing`, `dispatch`
10    signals                               `signals`
11    concurrency                           `state`, `adapter` (the only module that knows DuckDB)
12    Dagster Pipes                         `messages`
14    the pipeline language                 `language`
16    tests and assertions                  `execution.checks`; `project`: `tables`, `sidecar`; `commands.test`
17    hooks                                 `execution.hooks`
====  ====================================  ================================================================
"""

__version__ = "1.71.0"
