"""What is loaded into programs on Node.js: it tells of waits, and lets no last words be lost."""

from __future__ import annotations

from urllib.parse import quote

from smithers.agents import failures

_SAID = "status 429, retry in"
# What the addresses hold at which models are asked; pages, updates and telemetry have other limits.
_MODELS = "/(messages|completions|responses|generatecontent|converse)/i"
# Their own processes, and nothing that they start, are to have it. At its end such a program
# drops what it has not yet written to a pipe, unless it waits for each write.
_SCRIPT = f"""
delete process.env.NODE_OPTIONS;
process.stdout._handle?.setBlocking?.(true);
const watched = (ask) => async (...all) => {{
  const answer = await ask(...all);
  const method = String(all[1]?.method ?? all[0]?.method).toUpperCase();
  const wait = answer.headers.get("retry-after");
  if (answer.status === 429 && wait && method === "POST" && {_MODELS}.test(answer.url))
    console.error(`{_SAID} ${{wait}} s`);
  return answer;
}};
let fetch = watched(globalThis.fetch);
Object.defineProperty(globalThis, "fetch", {{
  configurable: true,
  get: () => fetch,
  set: (other) => {{ fetch = watched(other); }},
}});
"""
ENV = {"NODE_OPTIONS": f"--import=data:text/javascript,{quote(_SCRIPT)}"}


def wait_told(line: str) -> float | None:
    """The seconds for which a provider does not want to be asked, in a line of stderr."""
    return failures.wait_in(line) if line.startswith(_SAID) else None
