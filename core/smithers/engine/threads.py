"""An author's plain function in a thread of its own, for which nobody has to wait."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any


async def in_thread(function: Callable[..., Any], *args: Any) -> Any:
    """The function's result. Cancelled, the thread runs on and what it finds is dropped.

    Unlike a thread of asyncio's pool it does not keep the process from ending.
    """
    loop = asyncio.get_running_loop()
    found: asyncio.Future[Any] = loop.create_future()

    def settle(value: Any, error: BaseException | None) -> None:
        if found.done():
            return
        if error is None:
            found.set_result(value)
        else:
            found.set_exception(error)

    def work() -> None:
        value: Any = None
        failed: BaseException | None = None
        try:
            value = function(*args)
        except StopIteration as error:  # a future refuses this one
            failed = RuntimeError(f"StopIteration: {error}")
        except BaseException as error:  # noqa: BLE001 - it is raised where it is awaited
            failed = error
        with suppress(RuntimeError):  # the loop has ended first
            loop.call_soon_threadsafe(settle, value, failed)

    threading.Thread(target=work, daemon=True, name=f"call {function!r}").start()
    return await found
