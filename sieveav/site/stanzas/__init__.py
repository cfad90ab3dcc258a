"""stanzas: what the stanzas of the configuration file become; one file for each type.

*Takes*: stanzas in their places, with the values of their options.
*Gives*: settings, and problems with what the stanzas mean together.
*Imports*: language, running, scanning, site, itself, the leaves.
*Never*: reads the configuration's text, opens anything except the state.
*Begin at*: `limits.py` (the smallest), then `users.py`; `antivirus.py` is the largest.
"""
