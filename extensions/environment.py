"""environment: test where a script runs, and for which client (RFC 5183).

    if environment :matches "remote-ip" "192.0.2.*" { stop; }

The items: "name" and "version" of the interpreter, "location" ("MTA", with LMTP "MDA"), "phase" ("pre" before the recipients'
scripts, then "during"), "host" and "domain" of the server, if its name is fully qualified, "remote-ip" and "remote-host" of
the SMTP client; and of this implementation "vnd.sieveav.helo", the name in the
client's HELO or EHLO, and "vnd.sieveav.login", the name that it logged in with. An item that is not known matches nothing,
not even "".
"""

from __future__ import annotations

from sieveav.extending import PHASES, Environment, Extension, MatchingValues, Run, Strings

environment = Extension("environment", "RFC 5183")


@environment.test("environment", phases=PHASES)
class EnvironmentTest(MatchingValues):
    """environment: whether an item of information about the environment matches a key. RFC 5183, 4."""

    name: str
    keys: Strings

    def values(self, run: Run) -> tuple[str, ...]:
        item = run.ask(Environment(self.name.lower()))
        return () if item is None else (item,)

    def counted(self, run: Run) -> list[str]:
        """RFC 5183, 4: the count is 0 if the item is the empty string, else 1."""
        return [value for value in self.values(run) if value]

    def holds(self, run: Run) -> bool:
        # RFC 5183, 4: the test fails unconditionally if the item does not exist, also with :count "eq" "0"
        return bool(self.values(run)) and super().holds(run)
