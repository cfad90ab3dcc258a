"""copy, RFC 3894."""

from __future__ import annotations

from support.sieve import Sieve


def test_fileinto_copy_does_not_cancel_the_implicit_keep(sieve: Sieve) -> None:
    script = 'require ["fileinto", "copy"]; fileinto :copy "Archive";'
    assert sieve.actions(script) == ["fileinto Archive", "implicit keep"]


def test_redirect_copy_does_not_cancel_the_implicit_keep(sieve: Sieve) -> None:
    assert sieve.actions('require "copy"; redirect :copy "a@b.example";') == ["redirect a@b.example", "implicit keep"]


def test_without_the_tag_the_keep_is_cancelled(sieve: Sieve) -> None:
    assert sieve.actions('require ["fileinto", "copy"]; fileinto "Archive";') == ["fileinto Archive"]


def test_the_tag_is_unknown_without_require(sieve: Sieve) -> None:
    checked = sieve.check('redirect :copy "a@b.example";')
    assert [p.rule for p in checked.problems] == ["tag-unknown"]
    assert checked.problems[0].hint == 'write: require "copy";'


def test_a_later_action_still_cancels_the_keep(sieve: Sieve) -> None:
    script = 'require ["fileinto", "copy"]; fileinto :copy "Archive"; discard;'
    assert sieve.actions(script) == ["fileinto Archive", "discard"]
