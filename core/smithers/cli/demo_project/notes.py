"""Notes in memory, safe to use from many threads."""

import threading


class Notes:
    def __init__(self):
        self._lock = threading.Lock()
        self._texts = []

    def add(self, text):
        with self._lock:
            self._texts.append(text)
            return {"id": len(self._texts), "text": text}

    def get(self, number):
        """The note with this number, counted from 1, or None."""
        with self._lock:
            known = 1 <= number <= len(self._texts)
            return {"id": number, "text": self._texts[number - 1]} if known else None

    def all(self):
        with self._lock:
            return [{"id": n, "text": text} for n, text in enumerate(self._texts, 1)]
