"""The engine's pipeline language: a list of steps, lowered to one SELECT (contract, 14).

`tokens` reads the words, `expressions` what stands in a step, `steps` the steps; `lowering` makes one query of them and
writes it in the engine's layout.
"""

from rocky_local.language.lowering import to_sql as to_sql
