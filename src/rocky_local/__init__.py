"""An embedded twin of the `rocky` engine over DuckDB: the same command line, outputs, logs and oddities.

Where each section of the engine's contract is kept:

====  ====================================  ================================================================
 1    exit codes, formats, paths            `cli`, `args`, `output`, `errors`; the state's place in `args`
 2    rocky.toml and models                 `config`, `models`, `rockylang`; what a table may hold: `tables`;
                                            what is said of a wrong one: `toml`, `frames`
 3    discover                              `discovery`, `commands.discover`
 4    plan, apply                           `commands.plan`, `commands.apply`
 5    run                                   `runner`, `pipelines`, `result`; copies: `replication`;
                                            models: `transformation`, `partitions`, `skip_gate`; the SQL of
                                            both: `strategies`; graph: `dag_run`; keys: `idempotency`; other
                                            kinds: `quality`, `loading`, `snapshots`
 6    checks                                `checks`, `replication_checks`, `quality`
 7    drift                                 `drift`
 8    other commands                        `commands`, with `compiler`, `diagnostics`, `lineage`, `hints`,
                                            `graph`, `seeds`
 9    stderr                                `tracing`
10    signals                               `signals`
11    concurrency                           `state`, `adapter` (the only module that knows DuckDB)
12    Dagster Pipes                         `messages`
====  ====================================  ================================================================
"""

__version__ = "1.71.0"
