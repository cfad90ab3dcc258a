"""rules: our lint rules, one file each: `command_unreachable.py` declares the rule `command-unreachable`.

*Takes*: a `Script` (see sieveav/lint/rule.py).
*Gives*: `Problem`s, made by `Rule.problem`.
*Imports*: lint, language, running, the leaves; the package email_validator, in `address_advice.py`.
*Never*: reports what the checker reports.
*Begin at*: `command_unreachable.py`; copy it, and its examples are tested.
"""
