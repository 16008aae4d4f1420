"""A disk that has lost its power: what the files may hold, given the writes and syncs so far."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from tests.store.recorder import Event

Image = dict[str, bytes]
"""Name and content of each file."""
SECTOR = 512


@dataclass(slots=True)
class File:
    durable: bytearray = field(default_factory=bytearray)
    """As of its last sync."""
    pending: list[Event] = field(default_factory=list)
    """Writes and truncations since then: any of them may have reached the disk, or a part."""

    def sync(self) -> None:
        for event in self.pending:
            _apply(self.durable, event)
        self.pending = []


@dataclass(slots=True)
class Disk:
    """Files are durable once synced; their names once the folder is."""

    now: dict[str, File] = field(default_factory=dict)
    durable: dict[str, File] = field(default_factory=dict)

    @classmethod
    def of(cls, files: Image) -> Disk:
        made = {name: File(bytearray(data)) for name, data in files.items()}
        return cls(made, dict(made))

    def pending(self, name: str) -> list[Event]:
        return self.now[name].pending if name in self.now else []

    def feed(self, event: Event) -> None:
        match event.what:
            case "create":
                self.now[event.name] = File()
            case "unlink":
                self.now.pop(event.name, None)
            case "sync" if not event.name:
                self.durable = dict(self.now)
            case "sync":
                if event.name in self.now:
                    self.now[event.name].sync()
            case "write" | "truncate":
                if event.name in self.now:
                    self.now[event.name].pending.append(event)

    def images(self, chance: random.Random, *, damages: int) -> Iterator[tuple[str, Image]]:
        """What may be there after a power cut now, each with a word on how.

        All of the writes since the syncs, none of them, and so many ways of some of them.
        """
        spoiled = chance.sample(list(_DAMAGES), damages) if self._unsynced() else []
        for names in [self.now] if self.now == self.durable else [self.now, self.durable]:
            yield "dropped", {name: bytes(file.durable) for name, file in names.items()}
            yield "kept", {name: _with(file, file.pending) for name, file in names.items()}
            for how in spoiled:
                damage = _DAMAGES[how]
                yield how, {name: damage(file, chance) for name, file in names.items()}

    def _unsynced(self) -> bool:
        return any(file.pending for file in (*self.now.values(), *self.durable.values()))


def _apply(content: bytearray, event: Event) -> None:
    if event.what == "truncate":
        del content[event.offset :]
        content.extend(bytes(event.offset - len(content)))
        return
    content.extend(bytes(max(0, event.offset - len(content))))
    content[event.offset : event.offset + len(event.data)] = event.data


def _with(file: File, events: list[Event]) -> bytes:
    content = bytearray(file.durable)
    for event in events:
        _apply(content, event)
    return bytes(content)


def _cut(file: File, chance: random.Random) -> bytes:
    """The first ones, and of the last of them a part."""
    if not file.pending:
        return bytes(file.durable)
    *whole, last = file.pending[: chance.randint(1, len(file.pending))]
    part = Event(last.what, last.name, last.offset, last.data[: chance.randint(0, len(last.data))])
    return _with(file, [*whole, part if last.what == "write" else last])


def _shuffled(file: File, chance: random.Random) -> bytes:
    """Some sectors of some of them."""
    return _with(file, [one for one in _sectors(file) if chance.random() < 0.5])


def _zeroed(file: File, chance: random.Random) -> bytes:
    """The length has reached the disk, the content of some sectors has not."""
    return _spoiled(file, chance, bytes)


def _garbled(file: File, chance: random.Random) -> bytes:
    return _spoiled(file, chance, chance.randbytes)


def _spoiled(file: File, chance: random.Random, filler: Callable[[int], bytes]) -> bytes:
    return _with(
        file,
        [
            Event(one.what, one.name, one.offset, filler(len(one.data)))
            if chance.random() < 0.3
            else one
            for one in _sectors(file)
        ],
    )


def _sectors(file: File) -> Iterator[Event]:
    for event in file.pending:
        if event.what == "truncate":
            yield event
        for start in range(0, len(event.data), SECTOR):
            part = event.data[start : start + SECTOR]
            yield Event(event.what, event.name, event.offset + start, part)


_DAMAGES = {
    "cut": _cut,
    "shuffled": _shuffled,
    "zeroed": _zeroed,
    "garbled": _garbled,
}
