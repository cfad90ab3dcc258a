"""extending: the names an extension may use. Its only import from this project; it holds no logic.

Ten are what most extensions need: `Extension`; `Word`, `Acting`, `ForeignTag`, `Matching` or `MatchingValues` to build on;
`tag`, `choice`, `optional`, `value`, `derived` for their attributes; `Run` and `Use` as what `run`, `holds` and `check`
are given. README.rst shows a whole extension. The others, by what they are for:

*words*: Word, ForeignTag, Choice, Acting, Matching, MatchingValues, MatchType, Comparator, Namespace, Break; Block, Test ...
*subjects*, what tests look at: Subject, Fields, HeaderValues, AddressValues, Message, Entity, intern_subject ...
*outcomes*, what actions do: Action, Store, Send, Refuse, Discard, AddField, Rewrite, Record, Pipe, Call, Response ...
*questions*, what the world is asked: Scan, Mailbox, Now, Seen, Listed, Script, Service ...
*values*: addresses, header fields, mailbox names, settings, verdicts.
"""

from sieveav.composing import field_line
from sieveav.headers import decode_words, fields, unfold
from sieveav.language.checking import Checked
from sieveav.language.extension import OF_A_MESSAGE, OF_A_RECIPIENT, PHASES, Extension
from sieveav.language.grammar import choice, derived, optional, tag, value
from sieveav.language.problems import Place, Severity, Span
from sieveav.language.program import Block, Program, Strings, Template, Test, Tests, is_constant
from sieveav.language.use import Given, Use
from sieveav.language.word import Choice, ForeignTag, Word
from sieveav.limits import (
    VARIABLE_NAME,
    VARIABLE_VALUE,
    VARIABLES,
)
from sieveav.mime import Part, disposition_of, media_type_of, parameters_of, walk
from sieveav.options import BOOLEAN, INTEGER, SECONDS, SIZE, TEXT, TEXTS, Option, integer, one_of
from sieveav.running.acting import Acting
from sieveav.running.addresses import Address, address_flaw, mailboxes, parse_addr_spec
from sieveav.running.addresses import envelope as envelope_address
from sieveav.running.base import RedirectTarget, ascii_upper, check_names
from sieveav.running.effects import (
    AddField,
    Call,
    Count,
    Discard,
    DropFields,
    Pipe,
    Record,
    Refuse,
    Rewrite,
    Send,
    Store,
    mailbox_flaw,
)
from sieveav.running.executing import chain
from sieveav.running.globs import Tick
from sieveav.running.lists import LIST_HINT, list_flaw, list_key
from sieveav.running.loops import PART, Break
from sieveav.running.matching import (
    Capturer,
    Comparator,
    Matcher,
    Matching,
    MatchingValues,
    MatchType,
    comparator,
    match_type,
)
from sieveav.running.message import (
    AddressValues,
    Entity,
    Fields,
    Fold,
    HeaderSource,
    HeaderValues,
    Message,
    Subject,
    intern_subject,
    names_of,
)
from sieveav.running.outcome import Action, Fault, Note, Outcome, Response, merge, response
from sieveav.running.questions import (
    Addresses,
    Arrange,
    Decided,
    Delivered,
    Envelope,
    Environment,
    Listed,
    Mailbox,
    Members,
    Metadata,
    Now,
    Ran,
    Scan,
    Scanned,
    Script,
    Seen,
    Service,
    Tested,
    Wanted,
)
from sieveav.running.rehearsing import Rehearsed
from sieveav.running.run import Run
from sieveav.running.variables import Namespace, Variables, check_variable, clip_value, was_set
from sieveav.verdict import FOUND, UNSCANNABLE, Status, Verdict, plain, worst

__all__ = [
    "BOOLEAN",
    "FOUND",
    "INTEGER",
    "LIST_HINT",
    "OF_A_MESSAGE",
    "OF_A_RECIPIENT",
    "PART",
    "PHASES",
    "SECONDS",
    "SIZE",
    "TEXT",
    "TEXTS",
    "UNSCANNABLE",
    "VARIABLES",
    "VARIABLE_NAME",
    "VARIABLE_VALUE",
    "Acting",
    "Action",
    "AddField",
    "Address",
    "AddressValues",
    "Addresses",
    "Arrange",
    "Block",
    "Break",
    "Call",
    "Capturer",
    "Checked",
    "Choice",
    "Comparator",
    "Count",
    "Decided",
    "Delivered",
    "Discard",
    "DropFields",
    "Entity",
    "Envelope",
    "Environment",
    "Extension",
    "Fault",
    "Fields",
    "Fold",
    "ForeignTag",
    "Given",
    "HeaderSource",
    "HeaderValues",
    "Listed",
    "Mailbox",
    "MatchType",
    "Matcher",
    "Matching",
    "MatchingValues",
    "Members",
    "Message",
    "Metadata",
    "Namespace",
    "Note",
    "Now",
    "Option",
    "Outcome",
    "Part",
    "Pipe",
    "Place",
    "Program",
    "Ran",
    "Record",
    "RedirectTarget",
    "Refuse",
    "Rehearsed",
    "Response",
    "Rewrite",
    "Run",
    "Scan",
    "Scanned",
    "Script",
    "Seen",
    "Send",
    "Service",
    "Severity",
    "Span",
    "Status",
    "Store",
    "Strings",
    "Subject",
    "Template",
    "Test",
    "Tested",
    "Tests",
    "Tick",
    "Use",
    "Variables",
    "Verdict",
    "Wanted",
    "Word",
    "address_flaw",
    "ascii_upper",
    "chain",
    "check_names",
    "check_variable",
    "choice",
    "clip_value",
    "comparator",
    "decode_words",
    "derived",
    "disposition_of",
    "envelope_address",
    "field_line",
    "fields",
    "integer",
    "intern_subject",
    "is_constant",
    "list_flaw",
    "list_key",
    "mailbox_flaw",
    "mailboxes",
    "match_type",
    "media_type_of",
    "merge",
    "names_of",
    "one_of",
    "optional",
    "parameters_of",
    "parse_addr_spec",
    "plain",
    "response",
    "tag",
    "unfold",
    "value",
    "walk",
    "was_set",
    "worst",
]
