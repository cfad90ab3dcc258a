"""The engines that are alone at the top level: from their stanzas to the actions and variables of scripts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support import faults
from support.scanning import Ask, Serve
from support.scripted import Peer

from sieveav.engines import cloudmark, commtouch_ctasd, eleven
from sieveav.scanning.assembling import Assembled, assemble
from sieveav.scanning.contract import EngineType
from sieveav.scanning.pools import Pools
from sieveav.scanning.settings import EngineSettings
from sieveav.site.site import load

ENGINES = [
    (
        'commtouch_ctasd "ct" { concurrency = 5 host = "192.0.2.1" port = 8088 }',
        "commtouch_ctasd",
        "commtouch_scan",
        {"commtouch-class", "commtouch-virus-threat", "commtouch-ref-id", "commtouch_ctasd_status"},
        True,
    ),
    (
        "cloudmark { MinimumScore = 95 Max_Body_Length = 1m }",
        "cloudmark",
        "cloudmark_score",
        {"cmae-score", "cmae-isspam", "cmae-analysis", "cloudmark_status"},
        False,
    ),
    ("cloudmark { enabled = true minimumscore = 95 }", "cloudmark", "cloudmark_score", {"cmae-score"}, True),
    (
        'eleven { servers = ( "192.0.2.1" "192.0.2.2:783" ) protocol = http }',
        "eleven",
        "eleven_scan",
        {"eleven-majorscore", "eleven-minorscore", "eleven-result", "eleven-result-subtype", "eleven_status"},
        True,
    ),
]


@pytest.mark.parametrize(("stanza", "engine", "action", "variables", "is_active"), ENGINES)
def test_a_stanza(tmp_path: Path, stanza: str, engine: str, action: str, variables: set[str], is_active: bool) -> None:
    (tmp_path / "site.conf").write_text(f'{stanza}\nsieve "s" {{ script "data_phase1" {{ source = "a.siv" }} }}')
    (tmp_path / "a.siv").write_text(f"{action};")
    site = load(tmp_path / "site.conf")
    assert site.warnings == ()
    assert [(scanner.name, scanner.settings.active) for scanner in site.scanners] == [(engine, is_active)]
    assert site.scripts.checked(tmp_path / "a.siv", "data").problems == ()
    # a script of a user does not set them
    assert site.engine_variables >= variables


SCORE = b'{"score": 0}'
CLASS = b"X-CTCH-Spam: NonSpam\nX-CTCH-VOD: NonVirus\n"

ANSWERS = [
    (commtouch_ctasd.engine, "host", b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(CLASS), CLASS)),
    (cloudmark.engine, "daemon", b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(SCORE), SCORE)),
    (eleven.engine, "servers", b"SPAMD/1.3 0 EX_OK\r\nContent-length: 0\r\nX-purgate-type: clean\r\n\r\n"),
]

Asked = Callable[[EngineType, str, bytes], tuple[Assembled, list[bytes]]]


@pytest.fixture
def asked(serve: Serve) -> Asked:
    """Makes an engine of a site whose daemon always answers the same; and the list of what it is asked."""

    def asked(kind: EngineType, option: str, answer: bytes) -> tuple[Assembled, list[bytes]]:
        heard: list[bytes] = []

        def script(peer: Peer) -> None:
            while True:
                heard.append(faults.request(peer))
                peer.send(answer)

        options: dict[str, Any] = {option: (serve(script).address,)}
        settings = replace(EngineSettings.defaults(kind.name), options=options)
        return assemble(kind, kind.name, settings, Pools()), heard

    return asked


@pytest.mark.parametrize(("kind", "option", "answer"), ANSWERS, ids=lambda value: getattr(value, "name", ""))
def test_verdicts_are_not_remembered(asked: Asked, ask: Ask, kind: EngineType, option: str, answer: bytes) -> None:
    """They depend on the time."""
    engine, heard = asked(kind, option, answer)
    assert [ask(engine, b"hello").status for _ in range(3)] == ["clean"] * 3
    assert len(heard) == 3


@pytest.mark.parametrize(("kind", "option", "answer"), ANSWERS, ids=lambda value: getattr(value, "name", ""))
def test_an_archive_that_is_not_opened(asked: Asked, ask: Ask, kind: EngineType, option: str, answer: bytes) -> None:
    """Cloudmark's score does not depend on it; the others say whether there may be a virus."""
    engine, _ = asked(kind, option, answer)
    expected = "clean" if kind is cloudmark.engine else "unscannable"
    assert ask(engine, b"EGGA\x00\x01" + bytes(100)).status == expected
