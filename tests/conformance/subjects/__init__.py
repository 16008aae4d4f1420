"""All agents that are put to the test, a file for each: what it is told, and what it cannot do."""

from tests.conformance.subject import Subject
from tests.conformance.subjects import (
    acp,
    claude,
    codex,
    command,
    gemini,
    model,
    opencode,
    pi,
    scripted,
)

ALL: dict[str, Subject] = {
    subject.name: subject
    for subject in (
        claude.SUBJECT,
        codex.SUBJECT,
        gemini.SUBJECT,
        opencode.SUBJECT,
        pi.SUBJECT,
        *acp.ALL,
        model.SUBJECT,
        command.SUBJECT,
        scripted.SUBJECT,
    )
}
