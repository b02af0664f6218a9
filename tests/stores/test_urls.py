"""URLs of stores: what hosting services print works or is refused by name, and no part of a password is ever shown."""

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from authx.exceptions import AuthXException, BadConfigurationError
from authx.stores import masked_url, open_store
from authx.stores.postgresql.url import read_url
from authx.stores.redis import RedisStore

pytestmark = pytest.mark.anyio

# What hosting services print


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:p@ep-a-1-pooler.eu.aws.neon.tech/db?sslmode=verify-full&channel_binding=require&sslrootcert=system",
        "postgresql://u:p@ep-a-1.eu.aws.neon.tech/db?sslmode=require&options=endpoint%3Dep-a-1",
        "postgres://u:p@aws-0-eu.pooler.supabase.com:5432/postgres?pgbouncer=true&connection_limit=1",
        "postgres://u:p@ec2-1-2.compute.amazonaws.com:5432/d1?ssl=true",
        "postgresql://u:p@db-1.b.db.ondigitalocean.com:25060/defaultdb?sslmode=require",
        "postgres://u%40server:p@server.postgres.database.azure.com:5432/postgres?sslmode=require&connect_timeout=10",
        "postgresql://u:p@h/d?gssencmode=disable&target_session_attrs=read-write&application_name=app",
        "postgresql://u:p@h/d?keepalives=1&keepalives_idle=30&tcp_user_timeout=1000&client_encoding=utf8",
        "postgresql://u:p@one:5432,two:5433/d?target_session_attrs=primary",
        "postgresql://u:p@[::1]:5432/d",
        "postgresql:///d?host=/run/postgresql&user=u&password=p",
        "postgresql://%2Frun%2Fpostgresql/d",
        "postgresql://u:p@h/d?options=-c%20search_path%3Dauth&statement_timeout=5s&connections=2",
    ],
)
def test_what_a_hosting_service_prints_is_a_store(url):
    assert ":p@" not in repr(open_store(url))


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("channel_binding=require", "channel_binding=require"),
        ("channel_binding=require&sslmode=require", "sslmode=verify-full"),
        ("channel_binding=always", "channel_binding"),
        ("gssencmode=require", "gssencmode"),
        ("sslmode=on", "sslmode"),
        ("ssl=maybe", "has ssl,"),
        ("ssl=true&sslmode=disable", "ssl and sslmode"),
        ("sslrootcert=/nowhere/ca.pem", "sslrootcert"),
        ("sslcert=/nowhere/own.pem", "sslcert"),
        ("sslrootcert=system&sslmode=require", "sslrootcert=system"),
        ("connect_timeout=soon", "connect_timeout"),
        ("connect_timeout=-1", "connect_timeout"),
        ("target_session_attrs=master", "target_session_attrs"),
        ("ssl_min_protocol_version=SSLv3", "ssl_min_protocol_version"),
        ("pgbouncer=maybe", "pgbouncer"),
        ("client_encoding=latin1", "client_encoding"),
        ("replication=database", "option replication"),
        ("requirepeer=postgres", "option requirepeer"),
        ("require_auth=scram-sha-256", "option require_auth"),
        ("hostaddr=10.0.0.1", "option hostaddr"),
        ("port=x&host=h", "port"),
        ("nobody_knows_it=1", "option nobody_knows_it"),
        ("sslmode=", "option sslmode without a value"),
        ("sslmode", "option sslmode without a value"),
        ("sslmode=require&sslmode=disable", "option sslmode twice"),
        ("connections=0", "connections"),
    ],
)
def test_a_parameter_that_cannot_be_met_is_named_at_construction(query, named):
    with pytest.raises(BadConfigurationError, match=named) as raised:
        open_store(f"postgresql://user:hunter2@host/app?{query}")
    assert "hunter2" not in str(raised.value)


def test_true_means_what_sslmode_require_means():
    assert "sslmode=require" in read_url("postgresql://h/d?ssl=true").dsn
    assert "sslmode=disable" in read_url("postgresql://h/d?ssl=false").dsn


def test_of_several_hosts_one_that_takes_writes_is_meant():
    assert "target_session_attrs=read-write" in read_url("postgresql://a,b/d").dsn
    assert "target_session_attrs=any" in read_url("postgresql://a,b/d?target_session_attrs=any").dsn
    assert read_url("postgresql://a/d").dsn == "postgresql://a/d"


def test_connecting_never_takes_longer_than_usual():
    for query, seconds in (("", 3), ("?connect_timeout=1", 1), ("?connect_timeout=60", 3), ("?connect_timeout=0", 3)):
        assert read_url(f"postgresql://h/d{query}").connect_seconds == seconds


@pytest.mark.parametrize(
    ("options", "settings", "left"),
    [
        ("-c search_path=a,b", {"search_path": "a,b"}, None),
        ("-csearch_path=a --work_mem=5MB", {"search_path": "a", "work_mem": "5MB"}, None),
        (r"-c search_path=a\ b", {"search_path": "a b"}, None),
        ("project=name", {}, "project=name"),
        ("-c", {}, "-c"),
        ("-c x=1 endpoint=e", {}, "-c x=1 endpoint=e"),
        ("-c 'x", {}, "-c 'x"),
        ("-c x;y=1", {}, "-c x;y=1"),
    ],
)
def test_settings_are_read_from_options(options, settings, left):
    from urllib.parse import quote

    read = read_url(f"postgresql://h/d?options={quote(options)}")
    assert (read.settings, read.options) == (settings, left)


# Passwords

TEMPLATES = (
    "postgresql://app:{}@db/app",
    "postgres://app:{}@db:5432/app?sslmode=require",
    "postgresql://{}@db/app",
    "postgresql://one,two/app?user=app&password={}",
    "postgresql://app@db/app?password={}&unknown=1",
    "redis://:{}@h",
    "redis://me:{}@h:6379/0",
    "redis://{}@h",
    "rediss://me:{}@h:6379/0?ssl_cert_reqs=none",
    "redis://h?password={}",
    "redis://h/0?password={}&nothing=1",
    "redis+cluster://me:{}@h:7000",
    "sqlite:///app:{}@db/app",
    "sqlite://app:{}@db/app",
    "sqlite:///auth.db?password={}",
    "sqlite:///auth.db?key={}",
    "memory://app:{}@db",
    "mysql://app:{}@db/app",
    "postgresql+asyncpg://app:{}@db/app",
    "app:{}@db/app",
)
# Letters that no template holds, and what has a meaning in URLs.
PASSWORDS = st.text(st.sampled_from("QXZVKW579@:/?#[]%&=+;,. \\\n\téÿ€℀'\"<>{}|^`~!$()*_-"), min_size=4, max_size=24)


def shows(text: str, password: str) -> str | None:
    """Find four characters or more of a password in a text; stars and what surrounds them are ours."""
    text = text.replace("**********", "")
    return next((password[at : at + 4] for at in range(len(password) - 3) if password[at : at + 4] in text), None)


@pytest.mark.parametrize(
    ("url", "advice"),
    [
        ("postgresql+asyncpg://app:p@db/app", "begin it with postgresql:// instead"),
        ("postgresql+psycopg2://app:p@db/app", "begin it with postgresql:// instead"),
        ("'postgresql://app:p@db/app'", "begins or ends with a quote or a space; remove that"),
        ('"redis://db"', "begins or ends with a quote or a space; remove that"),
        (" sqlite:///auth.db", "begins or ends with a quote or a space; remove that"),
        ("mysql://app:p@db/app", "use one of memory://, sqlite://"),
        ("auth.db", "use one of memory://, sqlite://"),
        ("", "use one of memory://, sqlite://"),
    ],
)
def test_a_url_that_names_no_store_gets_advice(url, advice):
    with pytest.raises(BadConfigurationError, match=advice):
        open_store(url)


@given(st.sampled_from(TEMPLATES), PASSWORDS)
@example("postgresql://app:{}@db/app", "p@ss?w0rd")
@example("redis://:{}@h", "p#ss")
@example("redis://:{}@h", "12/WWWW?XXXX")
@example("postgresql://app@db/app?password={}&unknown=1", "QXZV&WWWW_5555")
@example("redis://h?password={}", "QXZV&WWWW_5555=1")
@example("postgresql://app:{}@db/app", "QXZV@WWWW:5555")
def test_no_part_of_a_password_is_shown(template, password):
    url = template.format(password)
    # What is in the template itself is no secret.
    assume(shows(template.replace("{}", "\x00"), password) is None)
    try:
        said = repr(open_store(url))
    except AuthXException as error:
        said = str(error) + repr(error.__cause__)
    # Paths are shown; they hold no password unless they look as if.
    if not template.startswith("sqlite:///app"):
        assert shows(said, password) is None, said
    assert shows(masked_url(url), password) is None


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://app:p@ss?w0rd@127.0.0.1:1/app",
        "postgresql://app:p%40ss%3Fw0rd@127.0.0.1:1/app",
        "postgresql://127.0.0.1:1/app?password=p%40ss%3Fw0rd",
        "redis://:p#ss?w0rd@127.0.0.1:1",
        "redis://:p%23ss%3Fw0rd@127.0.0.1:1",
        "redis://127.0.0.1:1?password=p%23ss%3Fw0rd",
    ],
)
async def test_what_a_driver_says_shows_none_either(url, caplog):
    with pytest.raises(AuthXException) as raised:
        await open_store(url).open()
    for text in (str(raised.value), repr(raised.value), caplog.text):
        assert "w0rd" not in text
        assert "p@ss" not in text
        assert "p#ss" not in text


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (
            "postgresql://user:secret@db.example:6432/app?password=secret",
            "postgresql://**********@db.example:6432/app",
        ),
        ("postgresql://secret@db.example/app", "postgresql://**********@db.example/app"),
        ("postgresql://db.example/app", "postgresql://db.example/app"),
        ("redis+cluster://:secret@10.0.0.1:7000", "redis+cluster://**********@10.0.0.1:7000"),
        ("sqlite:////var/lib/app/auth.db", "sqlite:////var/lib/app/auth.db"),
        ("postgresql://user:p@ss@db/app", "postgresql://**********"),
        ("redis://:p#ss@h", "redis://**********"),
        ("redis://:p/ss@h", "redis://**********"),
        ("secret", "**********"),
        ("user:secret@host/app", "**********"),
        ("", "**********"),
    ],
)
def test_a_url_is_shown_without_what_could_be_a_password(url, shown):
    assert masked_url(url) == shown


@pytest.mark.parametrize("password", ["p@ss?w0rd", "a:b", "a/b", "a#b", "50%", "a b", "é€", "a&b=c", "[x]"])
def test_a_password_that_is_percent_encoded_arrives(password):
    from urllib.parse import quote

    from asyncpg.connect_utils import _parse_connect_dsn_and_args

    encoded = quote(password, safe="")
    for url in (f"postgresql://app:{encoded}@db/app", f"postgresql://app@db/app?password={encoded}"):
        arguments = dict.fromkeys(
            (
                *("host", "port", "user", "password", "passfile", "database", "ssl", "service", "servicefile"),
                *("direct_tls", "server_settings", "target_session_attrs", "krbsrvname", "gsslib"),
            )
        )
        _, parameters, *_ = _parse_connect_dsn_and_args(dsn=read_url(url).dsn, **arguments)
        assert parameters.password == password
    store = RedisStore(f"redis://:{encoded}@h")
    assert store._make()._connections._connect().password == password
