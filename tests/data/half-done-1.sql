-- A run in a database of version 1, whose engine died: `one` is done, `code` was at work, `two` and `ship` lie ahead.
--
-- $FLOW, $DIGEST: the workflow file and its sha256; $ROOT: folder of the run directory; $OUT: where the steps leave marks;
-- $AGENT: who plays the coder.

INSERT INTO meta (version, store_id) VALUES (1, 'dbb8a1429052');

INSERT INTO runs (seq, id, recipe, title, source, source_digest, input, created_at, created_by, agents, root, workspace,
    status, started_at, frame, total, done, running)
VALUES (1, 'r', 'flow', 'test', '$FLOW', '$DIGEST', '{"prompt":"do it"}', 1764000000000, 'person:tester',
    '{"coder":"$AGENT"}', '$ROOT', '$ROOT', 'running', 1764000000100, 2, 4, 1, 1);

INSERT INTO leases (run, fence, host, boot_id, pid_ns, pid, start_time, expires_at, held)
VALUES (1, 1, 'elsewhere', '62194f18-4fc7-4e7e-ba41-9a7243df3e8e', 4026531836, 4000000, 1, 1764000015000, 1);

INSERT INTO steps (run, key, scope, position, kind, title, after, spec, status) VALUES
    (1, 'one', '', 0, 'check', 'one', '[]', '{"command":"echo one >>$OUT/marks","ok":[0]}', 'succeeded'),
    (1, 'code', '', 1, 'task', 'code', '["one"]', '{"agent":"coder","prompt":"195e6a4ef3f0","output":"Answer"}', 'running'),
    (1, 'two', '', 2, 'check', 'two', '["code"]', '{"command":"echo two >>$OUT/marks","ok":[0]}', 'pending'),
    (1, 'ship', '', 3, 'approval', 'ship', '["two"]',
        '{"ask":"Ship it?","by":"person","show":null,"on_deny":"fail"}', 'pending');

INSERT INTO attempts (run, key, n, token, status, started_at, finished_at, exit_code, agent, session) VALUES
    (1, 'one', 1, 256827702239971, 'succeeded', 1764000000100, 1764000000600, 0, '', ''),
    (1, 'code', 1, 140737488355327, 'running', 1764000000700, NULL, NULL, '$AGENT', '6f0c9f4e-6b0e-5f43-9d5c-2f0b8f6a7d12');

INSERT INTO outputs (run, key, value) VALUES (1, 'one', '{"passed":true,"exit_code":0,"tail":""}');

INSERT INTO frames (run, n, at, why) VALUES
    (1, 1, 1764000000100, 'one started'),
    (1, 2, 1764000000700, 'one succeeded → code started');

INSERT INTO step_history (run, frame, key, status) VALUES
    (1, 1, 'one', 'running'),
    (1, 2, 'one', 'succeeded'),
    (1, 2, 'code', 'running');
