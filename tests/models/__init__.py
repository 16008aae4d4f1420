"""A model on loopback that plays a script, so that real agents can be tested without one.

`with FakeModel([{"text": "hi"}, ...]) as model:` answers each request that offers tools with the
next reply; the last one repeats. A reply is one of

    {"text": "words", "thinking": "words"}      plain words
    {"tools": [call, ...], ...}                 calls of tools, after its text if it has one
    {"json": {...}}                             a structured answer, in the way the request offers
    {"error": 429, "retry_after": 30, "message": "…"}   an HTTP error

A call is `{"name": …, "input": …}` for one tool by its name, or what is to be done by whichever tool
the request offers for it: `{"write": path, "text": …}`, `{"edit": path, "old": …, "new": …}`,
`{"read": path}`, `{"run": command}`, with `"outside": True` outside of the agent's own sandbox if it
has one. `{cwd}` in it is the folder that the agent works in.

A reply may hold `usage` (`[input, output]` or `[input, output, cached]` tokens, where the input
includes what was cached) and what goes wrong on the way: `hang` (an Event that is waited for
first), `stall` (one that is waited for in mid-stream), `drop` (the connection is reset after so
many events), `garbage` (an event that is no JSON). Requests without tools (titles, quota probes)
are answered "ok" and use up no reply.
"""

from tests.models.server import FakeModel
from tests.models.wire import Request

__all__ = ["FakeModel", "Request"]
