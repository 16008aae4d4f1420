"""A function and what `@workflow` makes of it."""

from __future__ import annotations

import pytest
from pydantic import BaseModel

import smithers
from smithers import Check, Context, workflow
from smithers.errors import RenderError


class Goal(BaseModel):
    prompt: str


def test_the_input_model_is_read_from_the_annotation():
    @workflow("one", summary="Does it", edits=True)
    def one(ctx: Context[Goal]):
        return Check("c", "true")

    assert (one.name, one.summary, one.edits, one.input) == ("one", "Does it", True, Goal)


def test_the_input_model_may_be_named_outright():
    @workflow("one", summary="", input=Goal)
    def one(ctx):
        return Check("c", "true")

    assert one.input is Goal


def test_a_workflow_without_an_input_model_is_refused_where_it_stands():
    with pytest.raises(RenderError, match=rf"{__file__}:\d+: workflow 'one' does not say"):

        @workflow("one", summary="")
        def one(ctx):
            return Check("c", "true")


def test_a_workflow_may_name_the_sandbox_that_it_needs():
    @workflow("one", summary="", input=Goal, sandbox="strict")
    def one(ctx):
        return Check("c", "true")

    assert one.sandbox == "strict"
    with pytest.raises(RenderError, match=r"no such sandbox: 'hard'.*off, workspace, strict"):
        workflow("one", summary="", input=Goal, sandbox="hard")(one.function)


def test_a_workflow_is_still_the_function():
    @workflow("one", summary="", input=Goal)
    def one(ctx):
        return ctx

    assert one(5) == 5


def test_the_authoring_names_are_all_that_the_package_offers():
    assert set(smithers.__all__) <= {name for name in smithers.__all__ if getattr(smithers, name)}
    with pytest.raises(AttributeError):
        smithers.Store  # noqa: B018
