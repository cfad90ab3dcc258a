"""extending: the API for extensions: the only module of this project that an extension imports; it contains no logic.

Most extensions need about ten names: `Extension`; `Word`, `Acting`, `ForeignTag`, `Matching` or `MatchingValues` as base
classes; `tag`, `choice`, `optional`, `value`, `derived` for their attributes; `Run` and `Use`, the arguments of `run`,
`holds` and `check`. README.rst shows a whole extension. The lists below group all names by what they are for.
"""

from sieveav.composing import (
    address_line,
    date_time,
    entity_flaw,
    entity_part,
    field_line,
    message_id,
    message_part,
    structured_line,
    text_part,
)
from sieveav.composing import compose as compose_message
from sieveav.composing import mixed as multipart_mixed
from sieveav.headers import (
    decode_words,
    disposition_of,
    field_octets,
    keyword,
    media_type_of,
    parameters_of,
    unfold,
)
from sieveav.language.checking import Checked
from sieveav.language.extension import OF_A_MESSAGE, OF_A_RECIPIENT, PHASES, SMTP_PHASES, Extension
from sieveav.language.grammar import choice, derived, optional, tag, value
from sieveav.language.problems import Place, Severity, Span, did_you_mean
from sieveav.language.program import Block, Program, Strings, Template, Test, Tests, is_constant
from sieveav.language.use import Given, Use
from sieveav.language.word import Choice, ForeignTag, Word
from sieveav.limits import (
    LONGEST_DELAY,
    VARIABLE_VALUE,
    VARIABLES,
)
from sieveav.mime import Part
from sieveav.options import BOOLEAN, INTEGER, SECONDS, SIZE, TEXT, TEXTS, Option, ValueType, integer, one_of
from sieveav.running.acting import Acting
from sieveav.running.addresses import (
    Address,
    address_flaw,
    mailbox_list_flaw,
    parse_addr_spec,
    parse_mailbox_list,
)
from sieveav.running.addresses import envelope as envelope_address
from sieveav.running.addresses import mailboxes as parse_mailboxes
from sieveav.running.base import RedirectTarget, ascii_upper, check_names
from sieveav.running.effects import (
    AddField,
    Call,
    Count,
    Delay,
    Discard,
    DropFields,
    Effect,
    Pipe,
    Quarantine,
    Record,
    Refuse,
    Rewrite,
    Send,
    Store,
    mailbox_flaw,
    special_use_flaw,
)
from sieveav.running.executing import chain as run_scripts
from sieveav.running.lists import LIST_HINT, list_flaw, list_key
from sieveav.running.loops import PART, Break
from sieveav.running.matching import MATCH_VARIABLES as MATCH_VARIABLES_MARK
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
from sieveav.running.namespace import Namespace
from sieveav.running.outcome import Action, Fault, Outcome, Response
from sieveav.running.outcome import response as smtp_response
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
    Script,
    Seen,
    Service,
    Tested,
    Wanted,
)
from sieveav.running.rehearsing import Rehearsed
from sieveav.running.run import Run
from sieveav.running.variables import Variables, check_variable, clip_value, was_set
from sieveav.verdict import Status, Verdict
from sieveav.verdict import plain as printable_ascii
from sieveav.verdict import worst as worst_verdict

# words: what an extension declares; classes to build on, and their attributes
__all__ = [
    "MATCH_VARIABLES_MARK",
    "OF_A_MESSAGE",
    "OF_A_RECIPIENT",
    "PHASES",
    "SMTP_PHASES",
    "Acting",
    "Choice",
    "Comparator",
    "Extension",
    "ForeignTag",
    "MatchType",
    "Matching",
    "MatchingValues",
    "Namespace",
    "RedirectTarget",
    "Word",
    "choice",
    "comparator",
    "derived",
    "match_type",
    "optional",
    "tag",
    "value",
]

# arguments: types of attributes, and templates in strings
__all__ += [
    "Block",
    "Strings",
    "Template",
    "Test",
    "Tests",
    "is_constant",
]

# what `check`, `holds`, `run` and matchers receive
__all__ += [
    "Capturer",
    "Given",
    "Matcher",
    "Run",
    "Severity",
    "Span",
    "Use",
    "Variables",
]

# loops
__all__ += [
    "PART",
    "Break",
]

# subjects: what tests look at in a message
__all__ += [
    "AddressValues",
    "Entity",
    "Fields",
    "Fold",
    "HeaderSource",
    "HeaderValues",
    "Message",
    "Part",
    "Subject",
    "intern_subject",
]

# outcomes: what actions do
__all__ += [
    "Action",
    "AddField",
    "Call",
    "Count",
    "Delay",
    "Discard",
    "DropFields",
    "Effect",
    "Fault",
    "Outcome",
    "Pipe",
    "Place",
    "Quarantine",
    "Record",
    "Refuse",
    "Response",
    "Rewrite",
    "Send",
    "Store",
    "smtp_response",
]

# questions: what `run.ask` asks, and what answers are made of
__all__ += [
    "Addresses",
    "Arrange",
    "Decided",
    "Delivered",
    "Envelope",
    "Environment",
    "Listed",
    "Mailbox",
    "Members",
    "Metadata",
    "Now",
    "Ran",
    "Scan",
    "Script",
    "Seen",
    "Service",
    "Status",
    "Tested",
    "Verdict",
    "Wanted",
    "worst_verdict",
]

# scripts within scripts
__all__ += [
    "Checked",
    "Program",
    "Rehearsed",
    "run_scripts",
]

# settings of an extension
__all__ += [
    "BOOLEAN",
    "INTEGER",
    "SECONDS",
    "SIZE",
    "TEXT",
    "TEXTS",
    "Option",
    "ValueType",
    "integer",
    "one_of",
]

# values: rules for arguments (`..._flaw`: what is wrong, "" if nothing is), and what is read from texts
__all__ += [
    "LIST_HINT",
    "LONGEST_DELAY",
    "VARIABLES",
    "VARIABLE_VALUE",
    "Address",
    "address_flaw",
    "ascii_upper",
    "check_names",
    "check_variable",
    "clip_value",
    "decode_words",
    "did_you_mean",
    "disposition_of",
    "entity_flaw",
    "envelope_address",
    "field_octets",
    "keyword",
    "list_flaw",
    "list_key",
    "mailbox_flaw",
    "mailbox_list_flaw",
    "media_type_of",
    "names_of",
    "parameters_of",
    "parse_addr_spec",
    "parse_mailbox_list",
    "parse_mailboxes",
    "printable_ascii",
    "special_use_flaw",
    "unfold",
    "was_set",
]

# composing: messages, parts and header fields to octets
__all__ += [
    "address_line",
    "compose_message",
    "date_time",
    "entity_part",
    "field_line",
    "message_id",
    "message_part",
    "multipart_mixed",
    "structured_line",
    "text_part",
]
