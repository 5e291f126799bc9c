"""Secrets are taken out whatever their shape, and what is none stays readable."""

import json

import pytest

from dagster_rocky.engine.errors import RockyFailure
from dagster_rocky.engine.logs.decode import LogLineDecoder
from dagster_rocky.engine.logs.mask import MASK, SecretMasker

S = "S3CR.eT9"
SECRET_SHAPES = [
    f"password={S}",
    f"password: {S}",
    f"PASSWORD = '{S}'",
    f"Pwd={S};Server=x",
    f"PWD={{{S}}};x=1",
    f"passwd={S}",
    f"PGPASSWORD={S}",
    f"dbPassword: {S}",
    f"password_prod={S}",
    f"prod_password={S}",
    f"snowflake_passphrase={S}",
    f"postgres://etl:{S}@db/x",
    f"postgres://etl:a@b{S}@db/x",
    f"postgres://etl:a/b{S}@db:5432/x",
    f"https://{S}@github.com/x.git",
    f"https://{S}:x-oauth-basic@github.com",
    f"https://u:{S}@h/x",
    f"https://b.blob.core/x?sv=1&sig={S}&se=2",
    f"https://s3/x?X-Amz-Signature={S}&X-Amz-Date=1",
    f"?X-Amz-Credential={S}",
    f"X-Amz-Security-Token={S}",
    f"state_secret_access_key={S}",
    f"engine_encryption_key={S}",
    f"cluster_private_key={S}",
    f"AccountKey={S};EndpointSuffix=x",
    f"api_key={S}",
    f"apikey={S}",
    f"API key: {S}",
    f"access_token: {S}",
    f"client_secret={S}",
    f"clientSecret={S}",
    f"private_key_pem={S}",
    f"SECRET_KEY := {S}",
    f"token => {S}",
    f"sas_token={S}",
    f"DSN={S}",
    f"secret_id={S}",
    f'{{"tokens": ["{S}", "b"]}}',
    f'{{"credentials": {{"user": "u", "x": {{"y": "{S}"}}}}}}',
    f'{{"message":"got {{\\"password\\": \\"{S}\\"}}"}}',
    f'{{"message":"got {{\\"secret\\": [\\"{S}\\"]}}"}}',
    f'{{"m":"{{\\\\\\"token\\\\\\": \\\\\\"{S}\\\\\\"}}"}}',
    f"CREATE SECRET x (TYPE S3, KEY_ID 'a', SECRET '{S}')",
    f"ALTER USER etl PASSWORD '{S}'",
    f"secret='it''s {S}'",
    f"Authorization: Bearer {S}",
    f"authorization: Basic {S}xx==",
    f"bearer {S}",
    f"--password {S}",
    f"--api-token={S}",
    f"--governance-override '{S}'",
    f"--idempotency-key {S}",
    f'"password":"a\\"{S}"',
    f'"password":"{S}',
    f"a jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ9abc.{S.replace('.', '_')}",
    f'"private_key": "-----BEGIN PRIVATE KEY-----\\n{S}\\n-----END PRIVATE KEY-----"',
]
INNOCENT = [
    "primary_key=id",
    "tokenize=words",
    "key=value",
    "key: value",
    "partition key=2026-05-01",
    "partition_key='2026'",
    "asset_key=a/b",
    "secretary=anna",
    "monkey=banana",
    "turkey: 3",
    "keyboard=de",
    "tokens=512",
    "max_tokens: 4096",
    "token_count=12",
    "token_type=bearer",
    "password_policy=strict",
    "sort_key=day",
    "unique_key = id",
    "surrogate_key=1",
    "state_key=1",
    "merge_keys=[a, b]",
    "cluster_key=[x]",
    "key_columns=a",
    "idempotency key 'k' is held by run-9",
    "The key 'abc' was given",
    "foreign key violation: key (id)=(3)",
    "https://host:8080/a@b.c",
    "https://host/path?mail=a@b.c",
    "ssh://git@host/x",
    "postgres://etl@db/x",
    "s3://bucket/key=1/part",
    "basic information about",
    "author=kim",
    "compass=north",
    "passed=7",
    "bypass=true",
    "design=x",
    "assign: 3",
    "auth=none",
    '{"token": null, "x": 1}',
    "INFO copying data table=a.b.key strategy=merge",
]


@pytest.mark.parametrize("text", SECRET_SHAPES)
def test_a_secret_is_taken_out(text: str) -> None:
    masked = SecretMasker().mask(f"before {text} after")

    assert MASK in masked
    assert masked.startswith("before ")
    for part in (S, "S3CR", "eT9"):
        assert part not in masked


@pytest.mark.parametrize("text", INNOCENT)
def test_what_is_no_secret_stays_readable(text: str) -> None:
    assert SecretMasker().mask(text) == text


@pytest.mark.parametrize(
    "fields",
    [
        {"message": "m", "password": S},
        {"message": "m", "tokens": [S, {"a": S}], "table": "a.b.c"},
        {"message": json.dumps({"credentials": {"x": S}}), "table": "a.b.c"},
        {"message": f'connect with {{"token": "{S}"}}', "table": "a.b.c"},
        {"message": "m", "pin": 1, "secret": 12345678},
    ],
)
def test_a_masked_tracing_line_is_still_a_tracing_line(fields: dict[str, object]) -> None:
    raw = json.dumps({"level": "WARN", "fields": fields})
    line = LogLineDecoder().decode(SecretMasker().mask(raw))

    assert line.message
    assert line.level == "WARN"
    assert S not in line.text
    assert "12345678" not in line.text
    assert ("table" in fields) == ("table=a.b.c" in line.text)


def test_named_variables_are_masked_however_they_are_written(monkeypatch: pytest.MonkeyPatch) -> None:
    value = 'p"a ss/w\\ö\nsecond line of it'
    monkeypatch.setenv("WAREHOUSE_DSN", value)
    masker = SecretMasker(["WAREHOUSE_DSN", "NOT_SET"])

    assert masker.mask(f"x {value} y") == "x *** y"
    assert masker.mask(json.dumps({"a": value})) == '{"a": "***"}'
    assert masker.mask("db://p%22a%20ss%2Fw%5C%C3%B6%0Asecond%20line%20of%20it/") == "db://***/"
    assert masker.mask("only the second line of it") == "only the ***"


def test_values_of_the_engines_own_variables_are_masked_where_their_names_say_so() -> None:
    masker = SecretMasker(environment={"API_TOKEN": "abcd-efgh", "REGION": "north"})

    assert masker.mask("abcd-efgh in north") == "*** in north"


def test_structures_keep_their_shape() -> None:
    masked = SecretMasker().mask_all(
        {
            "user": "etl",
            "password": {"a": 1},
            "tokens": 12,
            "api_key": None,
            "nested": [{"client_secret": "x", "url": "https://a:b@c/d"}, ("token=abc", 5, True)],
        }
    )

    assert masked == {
        "user": "etl",
        "password": "***",
        "tokens": 12,
        "api_key": None,
        "nested": [{"client_secret": "***", "url": "https://***@c/d"}, ("token=***", 5, True)],
    }


def test_commands_hide_what_an_engine_is_trusted_with() -> None:
    argv = [
        "rocky",
        "run",
        "--idempotency-key",
        "k 1",
        "--governance-override",
        '{"a": "b c"}',
        "--var",
        "token=x y",
    ]
    argv += ["--filter", "shop=o'brien", "--var", "region=north"]
    shown = SecretMasker().mask_command(argv)

    assert shown.startswith("rocky run --idempotency-key *** --governance-override *** --var ")
    assert "x y" not in shown
    assert shown.endswith("""--filter 'shop=o'"'"'brien' --var region=north""")


def test_failures_are_masked_in_words_and_metadata() -> None:
    failure = RockyFailure(
        "no_json", f"token={S} is wrong", {"rocky/stdout_first": f'{{"password": "{S}"', "rocky/size": 3}
    )
    masked = failure.masked(SecretMasker())

    assert masked.description == "token=*** is wrong"
    assert S not in str(masked.metadata)
    assert masked.metadata["rocky/size"].value == 3
    assert masked.kind == "no_json"
