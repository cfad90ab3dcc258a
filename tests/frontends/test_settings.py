"""check-config -n and -d: the settings in force and the defaults, in the syntax of the file."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.accepting import Accepted
from support.command_line import Cli

from sieveav.frontends import explaining
from sieveav.language.problems import Source
from sieveav.site import configuration
from sieveav.site.site import load

CONFIG = """clamav {}
antivirus "a" {
  timeout = 1m
  action = pass    # the default
  clamav "c" { daemon = ( "127.0.0.1:1" "/run/clamd" )
    enabled = off
  }
}
limits { actions = 32 redirects = 5 }
extension "vacation" { min_period = 2d }
users { before = "keep.sieve" }
"""


def test_the_settings_in_force(cli: Cli, here: Path, accepted: Accepted) -> None:
    (here / "x.conf").write_text(CONFIG)
    done = cli("check-config", "-n", "x.conf")
    assert (done.status, done.err) == (0, "")
    accepted(done.lines)
    settings = cli.json("check-config", "x.conf", "-n")
    assert [(setting["name"], setting["value"], setting["line"], setting["default"]) for setting in settings] == [
        ("timeout", "1m", 3, "10"),
        ("daemon", '( "127.0.0.1:1" "/run/clamd" )', 5, '( "127.0.0.1:3310" )'),
        ("enabled", "false", 6, "true"),
        ("redirects", "5", 9, "4"),
        ("min_period", "2d", 10, settings[4]["default"]),
        ("before", '"keep.sieve"', 11, ""),
    ]
    assert settings[1]["stanza"] == 'antivirus "a" / clamav "c"'


def test_they_mean_the_same(cli: Cli, here: Path) -> None:
    """What -n prints is a configuration, with the same settings."""
    (here / "x.conf").write_text(CONFIG)
    (here / "y.conf").write_text(cli("check-config", "-n", "x.conf").out)
    x, y = load("x.conf"), load("y.conf")
    assert [scanner.settings for scanner in x.scanners] == [scanner.settings for scanner in y.scanners]
    shown = [
        [(s["stanza"], s["name"], s["value"]) for s in cli.json("check-config", "-n", c)] for c in ("x.conf", "y.conf")
    ]
    assert shown[0] == shown[1]


def test_of_a_configuration_with_errors(cli: Cli, here: Path) -> None:
    (here / "x.conf").write_text("nonsense {}")
    done = cli("check-config", "-n", "x.conf")
    assert (done.status, done.heads[0].split(": ")[0]) == (1, "x.conf:1:1")
    assert cli("check-config", "-n", "x.conf", "--format", "json").json[0]["line"] == 1


def test_the_defaults(cli: Cli) -> None:
    """The output is a configuration; each value in it reads as the default."""
    done = cli("check-config", "-d")
    assert (done.status, done.err) == (0, "")
    stanzas, problems = configuration.read(Source("defaults", done.out))
    assert problems == []
    assert {stanza.kind for stanza in stanzas} == {name for name, s in explaining.stanzas().items() if "" in s.within}
    for stanza in stanzas:
        declared = {option.name: option for option in explaining.stanzas()[stanza.kind].options}
        if stanza.kind == "extension":
            extension = explaining.library().find(stanza.instance or "")
            assert extension is not None
            declared = extension.settings
        for setting in stanza.settings:
            option = declared[setting.name]
            assert option.value(setting.value) == option.default, setting.name
        written = {setting.name for setting in stanza.settings}
        assert all(f"# {name} = " in done.out for name in set(declared) - written)


def test_the_defaults_in_json(cli: Cli) -> None:
    rows = cli.json("check-config", "-d")
    assert {row["stanza"] for row in rows} >= {"antivirus", "users", 'extension "vacation"', "script"}
    assert next(row for row in rows if (row["stanza"], row["name"]) == ("limits", "actions"))["default"] == "32"


@pytest.mark.parametrize("arguments", [["-d", "site.conf"], ["-n"], ["-n", "-d"], []])
def test_wrong_use(cli: Cli, arguments: list[str]) -> None:
    done = cli("check-config", *arguments)
    assert (done.status, done.out) == (2, "")
    assert "FILE" in done.err or "not allowed with" in done.err
