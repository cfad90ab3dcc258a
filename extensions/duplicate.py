"""duplicate: test whether the message, or something identifying it, was seen before (RFC 7352).

    if duplicate { discard; }
    if duplicate :seconds 1800 :handle "alerts" :uniqueid "${sender} ${subject}" { stop; }

A message is identified by its unique ID: its Message-ID, another header field (:header), or any string (:uniqueid). The
ID is remembered when the script has succeeded, and forgotten after :seconds, counted from the first time it was seen or,
with :last, from the last time. Tests with different handles are independent. A message without the header field is never
a duplicate.
"""

from __future__ import annotations

from hashlib import sha256

from sieveav.extending import (
    SECONDS,
    Extension,
    Option,
    Record,
    Run,
    Seen,
    Severity,
    Use,
    Word,
    check_names,
    decode_words,
    tag,
    unfold,
)

duplicate = Extension("duplicate", "RFC 7352")
duplicate.rule("period-limit", "the period is outside the limits of the site")
duplicate.rule("period-zero", "the test is never true, because the period is 0")
duplicate.rule("tag-conflict", "the tag conflicts with another tag")
# RFC 7352, 3.3: a default MUST be there, and a maximum SHOULD
duplicate.setting(Option("default_period", SECONDS, 43200.0, "how long a unique ID is remembered without :seconds"))
duplicate.setting(Option("max_period", SECONDS, 172800.0, "the longest time that a unique ID is remembered"))


def key_of(handle: str | None, unique_id: str) -> str:
    """The key under which a unique ID is remembered: a hash (RFC 7352, 6), different for every handle and without one (3.2).
    Case matters (3.1)."""
    digest = sha256()
    for text in ("" if handle is None else f"h{handle}", unique_id):
        octets = text.encode("utf-8", "surrogatepass")
        digest.update(len(octets).to_bytes(8, "big"))  # so that no two pairs of texts give the same input
        digest.update(octets)
    return f"duplicate:{digest.hexdigest()}"


# RFC 7352, 3.4: not with IMAP events; IDs are remembered per recipient
@duplicate.test("duplicate", phases=["each_rcpt"])
class Duplicate(Word):
    """duplicate: whether an earlier execution of the script has seen the unique ID. RFC 7352, 3."""

    handle: str = tag(":handle", "")
    header: str = tag(":header", "message-id")
    uniqueid: str = tag(":uniqueid", "")
    seconds: int = tag(":seconds", 0)
    last: bool = tag(":last")

    def check(self, use: Use) -> None:
        if use.has("header") and use.has("uniqueid"):  # RFC 7352, 3.1: an error
            message = ":uniqueid conflicts with :header"
            use.complain("uniqueid", message, "leave one out", rule="tag-conflict")
        check_names(use, "header")  # RFC 7352, 3.1: an invalid name is no error
        longest = int(self.settings["max_period"])
        if self.seconds > longest:  # RFC 7352, 3.3: no error
            message = f"longer than the limit of this site, {longest} seconds"
            use.complain(
                "seconds", message, f"write :seconds {longest}", rule="period-limit", severity=Severity.WARNING
            )
        if use.has("seconds") and not self.seconds:
            message = "duplicate with :seconds 0 is never true"
            use.complain("seconds", message, rule="period-zero", severity=Severity.WARNING)

    def _unique_id(self, run: Run) -> str:
        """The unique ID, "" if the message has none. RFC 7352, 3.1."""
        if ":uniqueid" in self.written:
            return self.uniqueid
        values = run.message.fields.get(self.header.lower(), ())
        return decode_words(unfold(values[0])).strip(" \t\r\n") if values else ""  # only the first occurrence

    def _period(self) -> int:
        """The seconds for which the unique ID is remembered. RFC 7352, 3.3: no more than the maximum."""
        period = self.seconds if ":seconds" in self.written else self.settings["default_period"]
        return int(min(period, self.settings["max_period"]))

    def holds(self, run: Run) -> bool:
        unique_id, period = self._unique_id(run), self._period()
        # RFC 7352, 3.1 and 3.3: without an ID, or for 0 seconds, the test is false and nothing is remembered. An empty
        # field identifies nothing, so it is no ID; any string of :uniqueid is one, even the empty string.
        if period <= 0 or not (unique_id or ":uniqueid" in self.written):
            return False
        key = key_of(self.handle if ":handle" in self.written else None, unique_id)
        # RFC 7352, 3: IDs are recorded at the end of a successful execution, so this one's own do not count. If the site
        # has no memory (None), nothing is a duplicate.
        seen = run.ask(Seen(key)) is True
        if self.last or not seen:  # RFC 7352, 3.3: without :last the time counts from when it was first seen
            run.remember(Record(key, period, sliding=self.last))
        return seen
