import json

from tests.client import ServerCase


class ApiTest(ServerCase):
    def test_a_note_is_kept(self):
        status, note = self.ask("POST", "/notes", json.dumps({"text": "buy milk"}))
        self.assertEqual(status, 201)
        self.assertEqual(self.ask("GET", f"/notes/{note['id']}"), (200, note))

    def test_health(self):
        self.assertEqual(self.ask("GET", "/health"), (200, {"status": "ok"}))

    def test_notes_come_back_in_the_order_of_writing(self):
        for number in range(20):
            status, _ = self.ask("POST", "/notes", json.dumps({"text": f"note {number}"}))
            self.assertEqual(status, 201)
        status, value = self.ask("GET", "/notes")
        self.assertEqual(status, 200)
        self.assertEqual(
            [note["text"] for note in value["notes"]], [f"note {n}" for n in range(20)]
        )

    def test_what_is_no_note_is_refused(self):
        for body in ("", "[]", "{}", '{"text": ""}', '{"text": 7}', "{"):
            with self.subTest(body=body):
                status, value = self.ask("POST", "/notes", body)
                self.assertEqual(status, 400)
                self.assertIn("body", value["error"])

    def test_what_is_not_there_is_not_found(self):
        for path in ("/", "/notes/1", "/notes/one"):
            with self.subTest(path=path):
                self.assertEqual(self.ask("GET", path)[0], 404)
