#!/usr/bin/python3
"""Promote two versions of a model in turn while cases are decided; print what became of memory and
of the slowest request.

Usage: score_swaps.py BUILD-FOLDER [SWAPS]. A service of its own on a temporary folder, the sample
model credit_uplift (800 trees) and a second version of it, 8 connections that never pause. At least
as many swaps as asked for, in whole turns of 4 seconds. Prints one JSON object. Exit 1 when a request
failed.
"""
import http.client
import json
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
CONNECTIONS, SECONDS = 8, 4


def resident_mb(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


def second_version(folder):
    """The same trees, another manifest: enough to be another version."""
    shutil.copytree(ROOT / "models/credit_uplift", folder)
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["description"] = "a second version, to swap with"
    path.write_text(json.dumps(manifest))
    return folder


def start(redress, folder):
    log = open(folder / "serve.log", "w+")
    server = subprocess.Popen(
        [redress, "serve", "--data", folder / "data", "--listen", "127.0.0.1:0",
         "--health-listen", "127.0.0.1:0"], stderr=log)
    for _ in range(400):
        for line in (folder / "serve.log").read_text().splitlines():
            if '"server_started"' in line:
                return server, json.loads(line)["listen"]
        time.sleep(0.025)
    server.kill()
    sys.exit("score_swaps: the service did not start")


class Promoter:
    def __init__(self, listen, key):
        self.connection = http.client.HTTPConnection(listen)
        self.head = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        self.count = 0

    def promote(self, version):
        self.count += 1
        body = json.dumps({"version": version, "reason": "a hot swap under load"})
        head = {**self.head, "Idempotency-Key": f"swap-{self.count}"}
        self.connection.request("PUT", "/v1/models/credit_uplift/aliases/champion", body, head)
        reply = self.connection.getresponse()
        text = reply.read()
        if reply.status // 100 != 2:
            sys.exit(f"score_swaps: promote: {reply.status} {text.decode()}")


def prepare(redress, folder):
    quiet = {"check": True, "stdout": subprocess.DEVNULL}
    subprocess.run([redress, "demo", "--data", folder / "data"], **quiet)
    subprocess.run([redress, "model", "push", "credit_uplift", second_version(folder / "second"),
                    "--data", folder / "data"], **quiet)
    demo = json.loads((folder / "data" / "demo.json").read_text())
    case = {**demo["case"], "case_id": "s-@@@@@@@@@@", "customer_id": "c_@@@@@@@@@@",
            "order_id": "o_@@@@@@@@@@"}
    (folder / "cases").write_text(json.dumps(case) + "\n")
    return demo["keys"]


def swap_for(seconds, promoter, load, pid):
    """Promote as fast as the service does it, for as long as the load lasts."""
    process = subprocess.Popen([*load, "--seconds", str(seconds)], stdout=subprocess.PIPE)
    slowest_promotion = 0.0
    while process.poll() is None:
        began = time.monotonic()
        promoter.promote(1 + promoter.count % 2)
        slowest_promotion = max(slowest_promotion, time.monotonic() - began)
    report = json.loads(process.stdout.read())
    return {**report, "promotion_ms": 1000 * slowest_promotion, "resident_mb": resident_mb(pid)}


def measure(build, folder, swaps):
    keys = prepare(build / "redress", folder)
    server, listen = start(build / "redress", folder)
    load = [build / "tests/bench/load", "--port", listen.rsplit(":", 1)[1], "--path", "/v1/decisions",
            "--key", keys["support"], "--connections", str(CONNECTIONS), "--body", folder / "cases"]
    promoter, chunks = Promoter(listen, keys["admin"]), []
    try:
        quiet = json.loads(subprocess.run([*load, "--seconds", "2"], check=True,
                                          stdout=subprocess.PIPE).stdout)
        while promoter.count < swaps:
            chunks.append(swap_for(SECONDS, promoter, load, server.pid))
    finally:
        server.terminate()
        server.wait()
    return {
        "swaps": promoter.count,
        "requests": sum(chunk["requests"] for chunk in chunks),
        "errors": sum(chunk["errors"] for chunk in chunks),
        "p50_ms": statistics.median(chunk["p50_ms"] for chunk in chunks),
        "p99_ms": statistics.median(chunk["p99_ms"] for chunk in chunks),
        "slowest_ms": max(chunk["max_ms"] for chunk in chunks),
        "p50_ms_without": quiet["p50_ms"],
        "p99_ms_without": quiet["p99_ms"],
        "slowest_ms_without": quiet["max_ms"],
        "slowest_promotion_ms": round(max(chunk["promotion_ms"] for chunk in chunks), 3),
        # The first chunk also fills what stays: caches of the store, stacks, the allocator.
        "resident_mb_first": round(chunks[0]["resident_mb"], 1),
        "resident_mb_last": round(chunks[-1]["resident_mb"], 1),
        "resident_mb_max": round(max(chunk["resident_mb"] for chunk in chunks), 1),
    }


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    build, swaps = pathlib.Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1000
    for program in (build / "redress", build / "tests/bench/load"):
        if not program.exists():
            sys.exit(f"score_swaps: {program} is not there; run: make bench-programs")
    with tempfile.TemporaryDirectory() as folder:
        report = measure(build, pathlib.Path(folder), swaps)
    print(json.dumps(report))
    sys.exit(report["errors"] > 0)


main()
