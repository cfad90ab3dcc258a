"""explain, extensions and engines: everything with a name is explained, in text and in JSON."""

from __future__ import annotations

import json

import pytest
from support.accepting import Accepted
from support.command_line import Cli, Terminal

from sieveav.frontends import entries, explaining
from sieveav.frontends.commands.explain import schema
from sieveav.language.extension import PHASES
from sieveav.language.grammar import grammar_of
from sieveav.language.rules import RULES as CHECKER_RULES
from sieveav.lint.rule import RULES
from sieveav.running.base import base
from sieveav.scanning.contract import ENGINES
from sieveav.site.library import DOCUMENTED, Library
from sieveav.site.rules import RULES as SITE_RULES
from sieveav.verdict import Status


def everything() -> list[str]:
    """Everything that has a name, worked out without `explaining`."""
    names = {"require", "elsif", "else", "json", "clamav_status", "yara_status_info", "data_phase1", "word-unknown"}
    for extension in [base, *Library().everything().values()]:
        names |= {extension.capability} if extension.capability else set()
        names |= {*extension.settings, *extension.rules}
        for declared in extension.declared:
            if declared.seam == "family":
                names.add(declared.name.replace("{}", "clamav"))
            elif declared.seam not in ("reader", "amender"):
                names.add(declared.name)
            if declared.seam not in ("reader", "amender", "namespace"):
                names |= {field.tag for field in grammar_of(declared.made).tagged if field.tag}
    for stanza in explaining.stanzas().values():
        names |= {stanza.name} | {option.name for option in stanza.options}
    return sorted(
        {
            *names,
            *ENGINES.everything(),
            *map(str, Status),
            *PHASES,
            *explaining.LISTS,
            *DOCUMENTED,
            *RULES.everything(),
            *CHECKER_RULES,
            *SITE_RULES,
        }
    )


def test_everything_that_has_a_name_is_explained() -> None:
    for name in everything():
        for asked in {name, name.upper(), name.removeprefix(":")} if name != "json" else ():
            explained = explaining.explain(asked)
            assert explained, f"nothing explains {asked}"
            lines = list(entries.lines(explained))
            assert len("".join(lines)) > len(name) + len(explained[0].kind) + 2, name
            assert all(line.isprintable() for line in lines)
            assert lines[-1]


def test_all_names_can_be_completed() -> None:
    names = explaining.names()
    assert set(everything()) - set(DOCUMENTED) <= set(names)
    for name in set(names) - {explaining.SCHEMA}:
        assert explaining.explain(name), name


@pytest.mark.parametrize(
    "name",
    [
        "antivirus",
        ":copy",
        ":part",
        ":comparator",
        "else",
        "infected",
        "clamav_status",
        "data_phase1",
        "timeout",
        "users",
        "match-type",
        "word-unknown",
        "command-unreachable",
        "snooze",
        "phases",
        "statuses",
        "fileinto",
    ],
)
def test_explain(cli: Cli, accepted: Accepted, name: str) -> None:
    done = cli("explain", name)
    assert (done.status, done.err) == (0, "")
    accepted(done.lines)


def test_a_stanza_is_not_in_the_way_of_a_word(cli: Cli) -> None:
    """Its options are listed by name only; alone, it shows them in the configuration's syntax."""
    assert "cache_size = 1000" not in cli("explain", "antivirus").out
    assert "cache_size" in cli("explain", "antivirus").out
    assert "actions = 32" in cli("explain", "limits").out


def test_explain_in_json(cli: Cli) -> None:
    (stop,) = cli.json("explain", "stop")
    assert (stop["kind"], stop["name"], stop["usage"], stop["source"]) == (
        "control command",
        "stop",
        "stop",
        base.source,
    )
    kinds = [entry["kind"] for entry in cli.json("explain", "antivirus")]
    assert kinds == ["extension", "test", "stanza"]
    (option,) = cli.json("explain", "skip_context_variable")[0]["options"]
    assert option["default"] == '"skip_virus_check"'


def test_unknown(cli: Cli) -> None:
    done = cli("explain", "filinto")
    assert (done.status, done.out) == (2, "")
    assert done.err.endswith('did you mean "fileinto"?\n')
    assert "stanzas" in cli("explain", "qqqqqq").err


def test_the_schema(cli: Cli) -> None:
    done = cli("explain", "json")
    assert done.status == 0
    assert done.json == json.loads(schema())


def test_extensions(cli: Cli) -> None:
    done = cli("extensions")
    assert done.status == 0
    rows = cli.json("extensions")
    installed = [row for row in rows if row["installed"]]
    assert [row["name"] for row in installed] == list(Library().everything())
    assert all(row["name"] and row["source"] and row["summary"] for row in installed)
    assert all(any(line.startswith(f"{row['name']} ") for line in done.lines) for row in installed)
    missing = {row["name"] for row in rows if not row["installed"]}
    assert missing == DOCUMENTED - {name.lower() for name in Library().everything()}
    assert all(name in " ".join(done.lines[len(installed) :]) for name in missing)


def test_engines(cli: Cli) -> None:
    done = cli("engines")
    assert done.status == 0
    assert [head for head in done.heads if head] == list(ENGINES.everything())
    rows = cli.json("engines")
    assert [row["name"] for row in rows] == list(ENGINES.everything())
    daemons = {
        row["name"]: option["default"] for row in rows for option in row["options"] if option["name"] == "daemon"
    }
    assert daemons["clamav"] == '( "127.0.0.1:3310" )'
    assert 'daemon = ( "127.0.0.1:3310" )' in done.out


@pytest.mark.parametrize("columns", [60, 80, 200])
def test_the_width_of_the_terminal(cli: Cli, terminal: Terminal, columns: int) -> None:
    terminal(columns)
    for command in (
        ["engines"],
        ["extensions"],
        ["explain", "antivirus"],
        ["explain", "timeout"],
        ["explain", "phases"],
    ):
        wide = [line for line in cli(*command).lines if len(line) > columns]
        assert all(line.startswith("      ") for line in wide), wide  # examples stay as they are
        words = cli(*command).out.split()
        terminal(2000)
        assert set(words) == set(cli(*command).out.split())  # no word was broken
        terminal(columns)
