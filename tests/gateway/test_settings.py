"""The configuration file, as an operator meets it: what loads, and what each mistake is answered with."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from gateway import bot_settings
from gateway import settings as settings_module
from gateway.admin.bots import BotSettings
from gateway.bot_settings import LarkBot, SlackBot
from gateway.config_file import LARGEST_FILE, SettingsError
from gateway.setting_values import Section
from gateway.settings import Settings, find_config, load, schema

HERE = Path(__file__).parent
ENVIRONMENT = {
    "TURNKEEPER_ADMIN_TOKEN": "admin-token-value",
    "TURNKEEPER_SECRETS_KEY": "secrets-key-value-of-the-tests",
    "OPENAI_API_KEY": "openai-key-value",
    "SLACK_SIGNING_SECRET": "slack-signing-value",
    "SLACK_BOT_TOKEN": "slack-token-value",
    "LARK_APP_ID": "lark-app-value",
    "LARK_APP_SECRET": "lark-secret-value",
    "LARK_ENCRYPT_KEY": "lark-encrypt-value",
    "LARK_VERIFICATION_TOKEN": "lark-verification-value",
}
AUTHORITY = """\
-----BEGIN CERTIFICATE-----
MIIBcTCCARegAwIBAgIUFNeYBucCCrFzoqQRbLLZkClQRxQwCgYIKoZIzj0EAwIw
DTELMAkGA1UEAwwCY2EwIBcNMjYxMTI1MTgyMTU4WhgPMjEyNjExMDExODIxNTha
MA0xCzAJBgNVBAMMAmNhMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAExo3x7jiH
ce5jbRBZ2MJ4Je+wuF6EPuAdgqDoGyLloik3DWwfQdzVK2XGgvvoo73cW6r/GIdU
VL5iovBuDyUw+6NTMFEwHQYDVR0OBBYEFB+JqGxn6lODbfD+DriXfXk1vre0MB8G
A1UdIwQYMBaAFB+JqGxn6lODbfD+DriXfXk1vre0MA8GA1UdEwEB/wQFMAMBAf8w
CgYIKoZIzj0EAwIDSAAwRQIgWlZidysPOaGiP8oxxd2okwfNOoC7pf5/Hvllo6pj
lx4CIQCwrEDJnFUtjXJHDxPgY9WZ9xfRz8/X9Pl8ruwzDUSYTw==
-----END CERTIFICATE-----
"""
ECHO = "agents: [{id: default, provider: echo}]\n"


class ConfigFile:
    """turnkeeper.yaml in a directory of its own."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "turnkeeper.yaml"

    def load(self, text: str, **environ: str) -> Settings:
        self.path.write_text(text, encoding="utf-8")
        return load(self.path, environ)

    def problems(self, text: str, **environ: str) -> list[str]:
        """One line per problem, without the directory."""
        with pytest.raises(SettingsError) as caught:
            self.load(text, **environ)
        return str(caught.value).replace(f"{self.path.parent}/", "").splitlines()

    def problem(self, text: str, **environ: str) -> str:
        (line,) = self.problems(text, **environ)
        return line


@pytest.fixture
def config(tmp_path: Path) -> ConfigFile:
    return ConfigFile(tmp_path)


# What loads


def test_the_published_sample_loads_with_every_value_where_the_wiring_reads_it() -> None:
    settings = load(HERE / "sample.yaml", ENVIRONMENT)

    assert (settings.server.host, settings.server.port) == ("127.0.0.1", 8080)
    assert settings.server.public_url == "https://bots.example.com"
    assert settings.admin.listen == "127.0.0.1:8081"
    assert settings.admin.token is not None
    assert settings.admin.token.get_secret_value() == "admin-token-value"
    assert settings.store.url == "sqlite:///./data/turnkeeper.db"
    assert settings.store.path == Path("data/turnkeeper.db")
    assert (settings.limits.max_replies, settings.limits.max_queued, settings.limits.max_turns) == (
        250,
        20,
        100,
    )
    assert settings.drain == 330.0
    (agent,) = settings.agents
    assert (agent.id, agent.provider, agent.model) == ("default", "openai", "gpt-5-mini")
    assert agent.base_url == "https://api.openai.com/v1"
    assert agent.api_key is not None
    assert agent.api_key.get_secret_value() == "openai-key-value"
    assert agent.max_context_tokens == 100_000
    timeouts = agent.timeouts
    assert (timeouts.first_token, timeouts.idle, timeouts.reply, timeouts.health) == (60.0, 60.0, 300.0, 60.0)
    helpdesk, assistant = settings.bots
    assert isinstance(helpdesk, SlackBot)
    assert helpdesk.credentials is not None
    assert helpdesk.credentials.signing_secret.get_secret_value() == "slack-signing-value"
    assert helpdesk.api_base_url == "https://slack.com/api/"
    assert isinstance(assistant, LarkBot)
    assert assistant.region == "feishu"
    assert assistant.credentials is not None
    assert assistant.credentials.app_id.get_secret_value() == "lark-app-value"


def test_no_secret_shows_in_the_text_of_the_settings() -> None:
    settings = load(HERE / "sample.yaml", ENVIRONMENT)

    shown = repr(settings) + str(settings) + settings.model_dump_json()

    assert not [secret for secret in ENVIRONMENT.values() if secret in shown]


def test_an_empty_file_means_the_defaults(config: ConfigFile) -> None:
    assert config.load("# nothing yet\n").model_dump() == Settings().model_dump()


def test_a_bot_has_the_published_defaults_and_is_a_draft_without_credentials(config: ConfigFile) -> None:
    (bot,) = config.load(ECHO + "bots: [{id: b, channel: slack, agent: default}]").bots

    assert bot.credentials is None
    assert (bot.enabled, bot.when_busy, bot.conversation_per) == (True, "queue", "auto")
    assert (bot.respond_to, bot.allow.users, bot.allow.chats) == ("mentions", (), ())
    assert (bot.external_users, bot.stream, bot.max_replies) == ("deny", True, None)
    assert (bot.max_age, bot.locale) == (1800.0, "auto")


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("330s", 330),
        ("5m", 300),
        ("2h", 7200),
        ("30m", 1800),
        ("45", 45),
        ("1.5", 1.5),
        ("500ms", 0.5),
        ("0", 0),
    ],
)
def test_durations_are_seconds(config: ConfigFile, written: str, seconds: float) -> None:
    assert config.load(f"drain: {written}").drain == seconds
    assert config.load(f"drain: '{written}'").drain == seconds


@pytest.mark.parametrize(
    ("url", "kind", "place"),
    [
        ("sqlite:///./data/x.db", "sqlite", Path("data/x.db")),
        ("sqlite:////var/lib/x.db", "sqlite", Path("/var/lib/x.db")),
        ("memory:", "memory", "memory:"),
        ("redis://user:hidden@cache:6379/1", "redis", "redis at cache:6379/1"),
        ("rediss+sentinel://user:hidden@one,two/turns", "redis", "redis at one,two/turns"),
        ("rediss+cluster://one,two", "redis", "redis at one,two"),
    ],
)
def test_store_addresses_say_what_kind_and_where(
    config: ConfigFile, url: str, kind: str, place: Path | str
) -> None:
    store = config.load(f'store: {{url: "{url}"}}').store
    assert store.kind == kind
    assert (store.path if kind == "sqlite" else store.place) == place


def test_what_opens_redis_may_stand_apart_from_its_address(config: ConfigFile) -> None:
    """Each where it may be kept: a password in a file or variable, the authority beside the configuration."""
    (config.path.parent / "password").write_text("from-a-file\n")
    (config.path.parent / "ca.pem").write_text(AUTHORITY)
    text = """
store:
  url: rediss+sentinel://one,two/turns/3
  username: gateway
  password: file:password
  sentinel_password: env:SENTINEL_PASSWORD
  ca_file: ca.pem
"""
    store = config.load(text, SENTINEL_PASSWORD="from-a-variable").store

    assert store.username == "gateway"
    assert store.password is not None
    assert store.password.get_secret_value() == "from-a-file"
    assert store.sentinel_password is not None
    assert store.sentinel_password.get_secret_value() == "from-a-variable"
    assert store.ca_file == config.path.parent / "ca.pem"
    assert "from-a" not in repr(store)


def test_what_opens_redis_may_be_left_away_by_variables(config: ConfigFile) -> None:
    text = "store: {username: '${A:-}', password: '${A:-}', sentinel_password: '${A:-}', ca_file: '${A:-}'}"
    store = config.load(text).store

    assert (store.username, store.password, store.sentinel_password, store.ca_file) == (None,) * 4


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("url: 'memory:', username: u", "store.username: is for Redis, which memory: is not; take it out"),
        ("password: hunter2", "store.password: is for Redis, which sqlite: is not; take it out"),
        ("sentinel_password: hunter2", "store.sentinel_password: is for Redis, which sqlite: is not"),
        ("ca_file: ca.pem", "store.ca_file: is for Redis, which sqlite: is not; take it out"),
        (
            "url: 'redis://:hunter2@a', password: hunter2",
            "store.password: is in store.url too; write the password in one of them alone",
        ),
        ("url: 'redis://u:hunter2@a', username: u", "store.username: is in store.url too"),
        ("url: 'redis://u@a', username: u", "store.username: is in store.url too"),
        ("url: 'redis://a', ca_file: ca.pem", "store.ca_file: is for TLS; write rediss:// in store.url"),
        (
            "url: 'redis+cluster://a', ca_file: ca.pem",
            "store.ca_file: is for TLS; write rediss+cluster:// in store.url, or take it out",
        ),
        (
            "url: 'rediss://a', sentinel_password: hunter2",
            "store.sentinel_password: is for Sentinel; write rediss+sentinel:// in store.url, or take it out",
        ),
        (
            "url: 'rediss://a', ca_file: absent.pem",
            "absent.pem cannot be read: No such file or directory; put the certificate of the authority there",
        ),
        ("url: 'rediss://a', ca_file: .", "cannot be read: "),
        ("url: 'rediss://a', ca_file: 5", "store.ca_file: must be text: the path of a file"),
        ("url: 'rediss://a', ca_file: turnkeeper.yaml", "turnkeeper.yaml holds no certificate; put the"),
        (
            "url: 'redis://a', password: env:NO_SUCH",
            "store.password: environment variable NO_SUCH is not set",
        ),
        ("url: 'redis://a', username: [u]", "store.username: must be text; put it in quotes"),
    ],
)
def test_what_does_not_fit_the_address_of_the_store_is_named_with_its_remedy(
    config: ConfigFile, written: str, said: str
) -> None:
    (config.path.parent / "ca.pem").write_text(AUTHORITY)
    problem = config.problem(f"store: {{{written}}}")

    assert said in problem
    assert problem.startswith("turnkeeper.yaml:1:")
    assert "hunter2" not in problem


# Variables


def test_variables_are_put_in_and_may_have_a_default(config: ConfigFile) -> None:
    text = """
server: {host: "${HOST}", port: "${PORT:-9090}"}
agents:
  - {id: default, provider: echo, system_prompt: "Costs $$5, ${WHO:-dear} ${EMPTY:-friend}: $HOST"}
"""
    settings = config.load(text, HOST="0.0.0.0", EMPTY="")  # noqa: S104 - only read

    assert (settings.server.host, settings.server.port) == ("0.0.0.0", 9090)  # noqa: S104 - only compared
    assert settings.agents[0].system_prompt == "Costs $5, dear friend: $HOST"


def test_a_variable_cannot_add_keys(config: ConfigFile) -> None:
    value = "x, provider: evil}\n- {id: y"

    (agent,) = config.load("agents: [{id: default, provider: echo, system_prompt: '${P}'}]", P=value).agents

    assert agent.system_prompt == value


def test_a_missing_variable_is_named_with_key_and_place(config: ConfigFile) -> None:
    assert config.problem("server:\n  host: ${NO_SUCH_HOST}\n") == (
        "turnkeeper.yaml:2:3: server.host: environment variable NO_SUCH_HOST is not set; "
        "set it or write ${NO_SUCH_HOST:-default}"
    )


@pytest.mark.parametrize("written", ["${", "${}", "${1X}", "${A B}", "a ${NAME"])
def test_a_malformed_variable_is_an_error(config: ConfigFile, written: str) -> None:
    assert "server.host: has a ${ that begins no variable" in config.problem(f"server: {{host: '{written}'}}")


# Secrets


def test_a_secret_in_a_file_is_found_beside_the_configuration_and_loses_its_newline(
    config: ConfigFile,
) -> None:
    (config.path.parent / "key").write_text("from-a-file\n")

    (agent,) = config.load("agents: [{id: a, provider: echo, api_key: 'file:key'}]").agents

    assert agent.api_key is not None
    assert agent.api_key.get_secret_value() == "from-a-file"


def test_an_empty_optional_secret_is_none(config: ConfigFile) -> None:
    """An empty admin token must never be a token that somebody can present."""
    settings = config.load("admin: {token: '${TOKEN:-}'}\n" + ECHO)

    assert settings.admin.token is None


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("env:NO_SUCH", "environment variable NO_SUCH is not set; set it"),
        ("env:EMPTY", "environment variable EMPTY is empty; set it"),
        ("file:absent", "absent cannot be read: No such file or directory; put the secret there"),
        ("file:empty", "empty is empty; put the secret there"),
        ("file:.", "cannot be read: Is a directory"),
        ("", "is empty; write env:NAME, file:PATH or the secret itself"),
    ],
)
def test_an_unresolvable_secret_names_key_place_and_remedy(
    config: ConfigFile, written: str, said: str
) -> None:
    (config.path.parent / "empty").write_text("\n")
    text = f"""{ECHO}bots:
  - id: b
    channel: slack
    agent: default
    credentials:
      bot_token: literal
      signing_secret: "{written}"
"""
    problem = config.problem(text, EMPTY="")

    assert problem.startswith("turnkeeper.yaml:8:7: bots[0].credentials.signing_secret: ")
    assert said in problem


@pytest.mark.parametrize(
    ("bot", "where", "said"),
    [
        (
            "channel: slack, transport: socket, credentials: {signing_secret: s, bot_token: xoxb-1}",
            "bots[0].transport",
            "socket needs credentials.app_token; make one with connections:write",
        ),
        (
            "channel: slack, transport: socket, credentials: {signing_secret: s, bot_token: b, app_token: xoxb-1}",
            "bots[0].credentials.app_token",
            "is no app-level token; copy the one that begins with xapp-",
        ),
        (
            "channel: slack, credentials: {signing_secret: s, client_id: '1.2'}",
            "bots[0].credentials.client_secret",
            "is missing; add it beside client_id",
        ),
        (
            "channel: slack, credentials: {signing_secret: s, client_id: '1.2', client_secret: c, bot_token: b}",
            "bots[0].credentials.bot_token",
            "leave one of them out",
        ),
        (
            "channel: lark, app_type: store, transport: long_connection",
            "bots[0].transport",
            "long_connection is for self-built apps",
        ),
        ("channel: lark, transport: socket", "bots[0].transport", "must be 'webhook' or 'long_connection'"),
        ("channel: slack, app_type: store", "bots[0].app_type", "unknown key"),
    ],
)
def test_a_transport_or_an_installation_that_cannot_work_is_named_with_its_remedy(
    config: ConfigFile, bot: str, where: str, said: str
) -> None:
    problem = config.problem(f"{ECHO}bots:\n  - {{id: b, agent: default, {bot}}}\n")

    assert f": {where}: " in problem
    assert said in problem
    assert "xoxb-1" not in problem


def test_a_bot_may_be_installed_into_several_workspaces_or_have_its_events_by_a_connection(
    config: ConfigFile,
) -> None:
    text = f"""{ECHO}bots:
  - {{id: a, agent: default, channel: slack, credentials: {{signing_secret: s, client_id: "1.2", client_secret: c}}}}
  - id: b
    agent: default
    channel: slack
    transport: socket
    credentials: {{signing_secret: s, bot_token: b, app_token: xapp-1}}
  - {{id: c, agent: default, channel: lark, app_type: store}}
  - {{id: d, agent: default, channel: lark, transport: long_connection}}
"""
    assert [bot.transport for bot in config.load(text).bots] == [
        "webhook",
        "socket",
        "webhook",
        "long_connection",
    ]


def test_a_secret_of_the_wrong_type_is_not_quoted(config: ConfigFile) -> None:
    problem = config.problem("secrets_key: 123456789\n")

    assert problem.startswith("turnkeeper.yaml:1:1: secrets_key: must be text; put it in quotes")
    assert "123456789" not in problem


@pytest.mark.parametrize("keys", ["marzipan", "a-key-that-is-long-enough,marzipan"])
def test_a_secrets_key_that_could_be_guessed_is_refused_unquoted_with_how_to_make_one(
    config: ConfigFile, keys: str
) -> None:
    problem = config.problem("secrets_key: env:KEYS\n", KEYS=keys)

    assert problem.startswith("turnkeeper.yaml:1:1: secrets_key: key ")
    assert "has 8 characters; make one" in problem
    assert "openssl rand -base64 32" in problem
    assert "marzipan" not in problem


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("{audit: forever}", "retention.audit: must be a duration such as"),
        ("{events: 0}", "retention.events: must be greater than 0"),
        ("{transcript: 3d}", "retention.transcript: unknown key; did you mean transcripts?"),
        ("30d", "retention: must be a mapping"),
    ],
)
def test_what_is_wrong_with_retention_is_told(config: ConfigFile, written: str, said: str) -> None:
    assert said in config.problem(f"retention: {written}\n")


def test_no_error_quotes_a_value_that_stands_beside_the_mistake(config: ConfigFile) -> None:
    secret = "xoxb-very-secret"
    texts = [
        f"{ECHO}bots: [{{id: b, channel: slack, agent: default, credentials: {{bot_tokn: {secret}}}}}]",
        f"{ECHO}bots: [{{id: b, channel: slack, agent: default, credentials: {secret}}}]",
        f"admin: {{token: {secret}, token: {secret}}}",
        f"admin: {{token: [{secret}]}}",
        f"admin: {{token: {secret}\n",
        f'admin: {{token: "{secret}}}\n',
        f"admin: {secret}",
    ]
    for text in texts:
        with pytest.raises(SettingsError) as caught:
            config.load(text)
        cause: BaseException | None = caught.value
        while cause is not None:
            assert secret not in str(cause)
            cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)


# Mistakes


def test_every_problem_is_listed_at_once_in_the_order_of_the_file(config: ConfigFile) -> None:
    text = """\
server:
  prot: 8080
  host: ${NO_SUCH}
store: {url: "redis+cluster://localhost", sentinel_password: s}
agents:
  - {id: main, provider: echo}
  - {id: main, provider: echo}
bots:
  - id: Help Desk
    channel: slack
    agent: mian
    credentials:
      signing_secret: s
      bot_tokn: t
  - {id: b, channel: slak, agent: main}
"""
    assert config.problems(text) == [
        "turnkeeper.yaml:2:3: server.prot: unknown key; did you mean port?",
        (
            "turnkeeper.yaml:3:3: server.host: environment variable NO_SUCH is not set; "
            "set it or write ${NO_SUCH:-default}"
        ),
        (
            "turnkeeper.yaml:4:43: store.sentinel_password: is for Sentinel; write redis+sentinel:// in store.url, "
            "or take it out"
        ),
        "turnkeeper.yaml:7:6: agents[1].id: 'main' is taken by agents[0]; choose another",
        (
            "turnkeeper.yaml:9:5: bots[0].id: must be lower-case letters, digits and hyphens, at most 63, "
            "such as help-desk"
        ),
        "turnkeeper.yaml:11:5: bots[0].agent: there is no agent 'mian'; did you mean main?",
        (
            "turnkeeper.yaml:12:5: bots[0].credentials.bot_token: is missing; add it, or client_id and client_secret "
            "if several workspaces install the app"
        ),
        "turnkeeper.yaml:14:7: bots[0].credentials.bot_tokn: unknown key; did you mean bot_token?",
        "turnkeeper.yaml:15:13: bots[1].channel: unknown channel; did you mean slack?",
    ]


def test_an_unknown_key_is_recognised_in_every_section() -> None:
    """A section that the table of sections lacks would make its first mistyped key a crash."""

    def all_below(section: type[Section]) -> set[type[Section]]:
        return {section}.union(*(all_below(child) for child in section.__subclasses__()))

    shared = {Section, bot_settings.BotOptions, bot_settings._Bot, bot_settings._AnyLarkBot}
    shown = {BotSettings}
    known = {*settings_module._SECTIONS.values(), *bot_settings.STORED_SECTIONS.values()}
    assert all_below(Section) - shared - shown == known


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("colour: red", "1:1: colour: unknown key; use one of admin, agents, bots, drain"),
        ("drain: soon", "1:1: drain: must be a duration such as 330s, 5m or 2h"),
        ("drain: -5", "1:1: drain: must be a duration between"),
        ("drain: .nan", "1:1: drain: must be a duration between"),
        ("drain: yes", "1:1: drain: must be a duration such as"),
        (f"drain: 1{'0' * 400}", "1:1: drain: must be a duration between"),
        ("server: {port: 70000}", "1:10: server.port: must be less than or equal to 65535"),
        ("server: {port: yes}", "1:10: server.port: must be a whole number"),
        ("server: {port: many}", "1:10: server.port: must be a valid integer"),
        ("server: {public_url: bots.example.com}", "server.public_url: must be an address such as https://"),
        ("admin: {listen: 8081}", "admin.listen: must be text; put it in quotes"),
        ("admin: {listen: 'localhost:99999'}", "admin.listen: must be host:port"),
        ("limits: {max_replies: 0}", "limits.max_replies: must be greater than or equal to 1"),
        ("limits: 5", "1:1: limits: must be a mapping of keys to values"),
        ("agents: {id: a}", "1:1: agents: must be a list"),
        ("agents: [a]", "1:10: agents[0]: must be a mapping of keys to values"),
        ("store: {url: 'postgres://x'}", "store.url: must be sqlite:///./data/turnkeeper.db"),
        ("store: {url: 'sqlite://x.db'}", "store.url: must be sqlite:///relative/path.db or"),
        ("store: {url: 'sqlite:///:memory:'}", "store.url: write memory:"),
        ("store: {durability: replicated}", "store.durability: sqlite has no replicas; write fast"),
        (
            "agents: [{id: a, provider: acp}]",
            "agents[0].provider: not in this version: acp; use one of echo, openai",
        ),
        (
            "agents: [{id: a, provider: opnai}]",
            "agents[0].provider: unknown provider 'opnai'; did you mean openai?",
        ),
        (
            "agents: [{id: a, provider: openai}]",
            "1:10: agents[0].model: is missing; add the name of the model",
        ),
        (
            "agents: [{id: a, provider: echo, timeouts: {idel: 1}}]",
            "timeouts.idel: unknown key; did you mean idle?",
        ),
        ("agents: [{id: a, provider: echo, timeouts: {idle: 0}}]", "timeouts.idle: must be greater than 0"),
        (
            "agents: [{id: a, provider: echo, timeouts: {reply: 3h}}]",
            "reply: must be less than or equal to 7200",
        ),
        (ECHO + "bots: [{id: b, agent: default}]", "2:8: bots[0].channel: is missing; add slack or lark"),
        (ECHO + "bots: [{id: b, channel: slack}]", "2:8: bots[0].agent: is missing; add it"),
        (ECHO + "bots: [{id: b, channel: slack, agent: d, region: lark}]", "bots[0].region: unknown key"),
        (
            ECHO + "bots: [{id: b, channel: slack, agent: default, locale: fr}]",
            "must be 'auto', 'en' or 'zh'",
        ),
        ("bots: [{id: b, channel: slack, agent: default}]", "there is no agent 'default'; add it to agents"),
        (
            ECHO + "bots: [{id: b, channel: lark, agent: default, credentials: {app_id: a, app_secret: s}}]",
            "bots[0].credentials.verification_token: is missing, and so is encrypt_key; add at least one",
        ),
    ],
)
def test_a_mistake_is_answered_with_place_key_and_remedy(config: ConfigFile, text: str, said: str) -> None:
    assert any(said in problem for problem in config.problems(text))


@pytest.mark.parametrize("given", ["encrypt_key", "verification_token"])
def test_one_of_the_two_lark_secrets_is_enough(config: ConfigFile, given: str) -> None:
    credentials = f"{{app_id: a, app_secret: s, {given}: x}}"

    config.load(ECHO + f"bots: [{{id: b, channel: lark, agent: default, credentials: {credentials}}}]")


# The file itself


def test_a_key_given_twice_is_an_error_at_its_second_place(config: ConfigFile) -> None:
    assert config.problem("server:\n  host: a\n  host: b\n") == (
        "turnkeeper.yaml:3:3: server.host: is given twice, first in line 2; keep one"
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("server: {host: a\nstore: b", "turnkeeper.yaml:2:6: is not YAML: "),
        ("server:\n\thost: a", "turnkeeper.yaml:2:1: is not YAML: found character '\\t'"),
        ("server: \x07", "turnkeeper.yaml:1:9: is not YAML: special characters are not allowed"),
        ("- a\n- b", "turnkeeper.yaml:1:1: must be a mapping"),
        ("drain: 1\n---\ndrain: 2", "turnkeeper.yaml:2:1: is not YAML: but found another document"),
        ("server: {host: !!python/name:os.system x}", "server.host: has the tag"),
        ("[a]: b", "turnkeeper.yaml:1:1: has a key that is not text"),
        ("[" * 5000, "turnkeeper.yaml:1:1: is nested too deeply"),
        ("agents: &a [*a]", "agents: holds too many values"),
        (
            "a: &a [x,x,x,x,x,x,x,x,x]\n"
            + "".join(
                f"{b}: &{b} [{','.join(['*' + a] * 9)}]\n" for a, b in zip("abcdef", "bcdefg", strict=True)
            ),
            "holds too many values",
        ),
    ],
)
def test_what_is_not_a_configuration_is_refused_with_its_place(
    config: ConfigFile, text: str, said: str
) -> None:
    assert any(said in problem for problem in config.problems(text))


def test_a_file_that_is_not_utf8_is_refused_with_its_place(config: ConfigFile) -> None:
    config.path.write_bytes(b"server:\n  host: \xff\n")
    with pytest.raises(SettingsError, match=r"turnkeeper\.yaml:2:9: is not UTF-8"):
        load(config.path, {})


def test_a_huge_file_is_refused(config: ConfigFile) -> None:
    assert "is larger than" in config.problem("# " + "x" * LARGEST_FILE)


def test_an_absent_file_is_refused(config: ConfigFile) -> None:
    with pytest.raises(
        SettingsError, match="cannot be read: No such file or directory; name the file with --config"
    ):
        load(config.path, {})


def test_the_command_line_goes_before_the_environment_before_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TURNKEEPER_CONFIG", raising=False)
    with pytest.raises(SettingsError, match="no such file; write one, or name another with --config FILE"):
        find_config(None)
    for name in ("turnkeeper.yaml", "environment.yaml", "argument.yaml"):
        (tmp_path / name).touch()

    assert find_config(None) == Path("turnkeeper.yaml")
    monkeypatch.setenv("TURNKEEPER_CONFIG", "environment.yaml")
    assert find_config(None) == Path("environment.yaml")
    assert find_config("argument.yaml") == Path("argument.yaml")
    with pytest.raises(SettingsError, match=r"absent\.yaml:1:1: there is no such file; give --config"):
        find_config("absent.yaml")
    monkeypatch.setenv("TURNKEEPER_CONFIG", "absent.yaml")
    with pytest.raises(SettingsError, match="TURNKEEPER_CONFIG names it"):
        find_config(None)


# What surrounds it


def test_what_was_set_without_effect_is_named(config: ConfigFile) -> None:
    text = f"""{ECHO}
admin: {{listen: "127.0.0.1:8081"}}
store: {{url: "memory:", namespace: other}}
"""
    assert config.load(text).unsupported() == ["store.namespace has no effect in this version"]
    assert config.load(ECHO).unsupported() == []
    assert config.load("admin: {listen: '127.0.0.1:8081', token: t}\n" + ECHO).unsupported() == []


def test_the_shipped_schema_is_current() -> None:
    """If not: ``python -m gateway.settings > gateway/turnkeeper.schema.json``."""
    shipped = Path(settings_module.__file__).with_name("turnkeeper.schema.json")

    assert shipped.read_text(encoding="utf-8") == schema()


def test_reading_settings_imports_nothing_heavy() -> None:
    program = "import sys, gateway.settings; print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)

    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert not loaded & {"aiohttp", "redis", "slack_sdk", "lark_oapi", "cryptography", "rich", "conversation"}
