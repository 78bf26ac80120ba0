"""The same job in the way it is often done: uvicorn, and a commit of sqlite3 for each request.

Reads a case, looks the idempotency key up, charges a budget, keeps answer and case, and commits (a
write-ahead log, synced at every commit) before it answers some 700 bytes. No model, no policy, no
prices: less work than what it stands beside. DATABASE names its file."""
import json
import os
import sqlite3

db = sqlite3.connect(os.environ["DATABASE"], isolation_level=None)
db.execute("PRAGMA journal_mode = WAL")
db.execute("PRAGMA synchronous = FULL")
db.execute("CREATE TABLE decisions (id INTEGER PRIMARY KEY, key TEXT UNIQUE, customer TEXT,"
           " amount INTEGER, body TEXT, answer TEXT)")
db.execute("CREATE TABLE budgets (id INTEGER PRIMARY KEY, held INTEGER)")
db.execute("INSERT INTO budgets VALUES (1, 0)")


def decide(key, body):
    case = json.loads(body)
    found = db.execute("SELECT answer FROM decisions WHERE key = ?", (key,)).fetchone()
    if found:
        return found[0].encode()
    answer = json.dumps({"case_id": case["case_id"], "customer_id": case["customer_id"],
                         "outcome": "credit", "amount": 500, "text": "x" * 600})
    db.execute("BEGIN IMMEDIATE")
    db.execute("UPDATE budgets SET held = held + 500 WHERE id = 1")
    db.execute("INSERT INTO decisions (key, customer, amount, body, answer) VALUES (?, ?, ?, ?, ?)",
               (key, case["customer_id"], 500, body, answer))
    db.execute("COMMIT")
    return answer.encode()


async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    answer = decide(dict(scope["headers"])[b"idempotency-key"].decode(), body)
    await send({"type": "http.response.start", "status": 201,
                "headers": [(b"content-type", b"application/json"),
                            (b"content-length", str(len(answer)).encode())]})
    await send({"type": "http.response.body", "body": answer})
