import threading
import unittest

from notes import Notes


class NotesTest(unittest.TestCase):
    def test_numbers_start_at_one(self):
        notes = Notes()
        self.assertEqual(notes.add("a"), {"id": 1, "text": "a"})
        self.assertEqual(notes.get(1), {"id": 1, "text": "a"})

    def test_an_unknown_number_is_none(self):
        self.assertIsNone(Notes().get(1))
        self.assertIsNone(Notes().get(0))

    def test_writers_in_many_threads_lose_nothing(self):
        notes = Notes()
        threads = [threading.Thread(target=notes.add, args=(str(n),)) for n in range(50)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual({note["text"] for note in notes.all()}, {str(n) for n in range(50)})
