"""What marks look like, and how a token is read back."""

from __future__ import annotations

import resource
import sys

import pytest

from smithers.process.marks import Mark, token_of_limit, token_of_variable

MARK = Mark("0abc-1", "build[2]/code", 3, 0x00FFEE)


def test_the_variable_names_run_step_and_attempt_and_ends_in_the_token():
    assert MARK.environ() == {
        "SMITHERS_RUN": "0abc-1",
        "SMITHERS_STEP": "build[2]/code",
        "SMITHERS_ATTEMPT": "0abc-1/build[2]/code.3.00000000ffee",
    }


def test_a_token_is_read_back_from_either_mark():
    assert token_of_limit(MARK.limit()) == MARK.token
    assert token_of_variable(MARK.environ()["SMITHERS_ATTEMPT"]) == MARK.token


@pytest.mark.parametrize("soft", [0, 10**6, 2**62 - 1, 2**62 + 2**48, 2**64 - 1])
def test_an_ordinary_limit_is_no_mark(soft):
    assert token_of_limit(soft) is None


@pytest.mark.parametrize("value", ["", "x", "run/step.1.", "run/step.1.zz"])
def test_a_variable_that_others_have_set_is_no_mark(value):
    assert token_of_variable(value) is None


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has this limit")
def test_the_largest_token_is_a_limit_the_kernel_takes():
    before = resource.getrlimit(resource.RLIMIT_RTTIME)
    largest = Mark("r", "s", 1, 2**48 - 1)
    try:
        largest.set_limit()
        assert resource.getrlimit(resource.RLIMIT_RTTIME)[0] == largest.limit()
    finally:
        resource.setrlimit(resource.RLIMIT_RTTIME, before)
