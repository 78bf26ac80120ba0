#!/usr/bin/env python3
"""What clients can make the service hold, and how fast health answers meanwhile.

1000 connections at a time, of each kind; 100 of those with bodies of 4 MB. The memory is VmRSS of the
service before and with them. Health is asked 300 times, while 200 more clients hold half a line on
its own listener.
"""
import argparse
import json
import pathlib
import resource
import socket
import ssl
import subprocess
import tempfile
import time

HELD = 1000
HEALTH_CALLS = 300
HEALTH_SLOW = 200


class Service:
    def __init__(self, program, folder, tls):
        self.folder = pathlib.Path(folder) / "data"
        subprocess.run([program, "demo", "--data", self.folder], check=True,
                       stdout=subprocess.DEVNULL)
        command = [program, "serve", "--data", self.folder, "--deadline-s", "60"]
        if tls:
            command += ["--tls-cert", f"{folder}/cert.pem", "--tls-key", f"{folder}/key.pem"]
        log = pathlib.Path(folder) / "log"
        self.process = subprocess.Popen(command, stderr=log.open("w"))
        event = {}
        while not event:
            time.sleep(0.02)
            event = next((json.loads(line) for line in log.read_text().splitlines()
                          if '"server_started"' in line and line.endswith("}")), {})
        self.address = split(event["listen"])
        self.health = split(event["health_listen"])
        demo = json.loads((self.folder / "demo.json").read_text())
        self.key = demo["keys"]["support"]

    def rss_kb(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return next(int(line.split()[1]) for line in status.splitlines()
                    if line.startswith("VmRSS"))

    def settled_rss_kb(self):
        last, now = -1, self.rss_kb()
        while now != last:
            time.sleep(1)
            last, now = now, self.rss_kb()
        return now

    def stop(self):
        self.process.terminate()
        self.process.wait()


def split(address):
    host, port = address.rsplit(":", 1)
    return host, int(port)


def request(line, *headers):
    return "\r\n".join([line + " HTTP/1.1", "Host: a", *headers, "", ""]).encode()


def post(service, path, length):
    return request("POST " + path, "Authorization: Bearer " + service.key,
                   "Idempotency-Key: k", "Content-Type: application/json",
                   f"Content-Length: {length}")


def send_slowly(clients, content, seconds=25):
    """To all of them in turn, all but the last byte."""
    left = {client: len(content) - 1 for client in clients}
    until = time.monotonic() + seconds
    for client in clients:
        client.setblocking(False)
    while left and time.monotonic() < until:
        for client in list(left):
            at = len(content) - 1 - left[client]
            try:
                left[client] -= client.send(content[at:min(at + 65536, len(content) - 1)])
            except BlockingIOError:
                pass
            except OSError:
                left[client] = 0
            if left[client] <= 0:
                del left[client]


KINDS = {
    "silent": (HELD, lambda service: b""),
    "7.9 KB of a head": (HELD, lambda service: request(
        "GET /v1/budgets", "X-Long: " + "a" * 7800)[:-2]),
    "refused for their key": (HELD, lambda service: request("GET /v1/budgets") + b" "),
    "silent after the handshake of TLS": (HELD, None),
    "64 KB of a case, less a byte": (HELD, lambda service: post(
        service, "/v1/decisions", 65536) + b" " * 65536),
    "4 MB of a batch, less a byte": (HELD // 10, lambda service: post(
        service, "/v1/decision-batches", 4 << 20) + b" " * (4 << 20)),
}


def ask_health(address):
    slow = [socket.create_connection(address) for _ in range(HEALTH_SLOW)]
    for client in slow:
        client.sendall(b"GET /hea")
    times = []
    for _ in range(HEALTH_CALLS):
        begin = time.monotonic()
        with socket.create_connection(address) as client:
            client.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
            assert client.recv(64).startswith(b"HTTP/1.1 200"), "health does not answer"
        times.append(time.monotonic() - begin)
    for client in slow:
        client.close()
    return sorted(times)


def hold(program, kind):
    count, content_of = KINDS[kind]
    with tempfile.TemporaryDirectory() as folder:
        if content_of is None:
            subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                            "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
                            "/CN=localhost", "-keyout", f"{folder}/key.pem", "-out",
                            f"{folder}/cert.pem"], check=True, stderr=subprocess.DEVNULL)
        service = Service(program, folder, content_of is None)
        before = service.rss_kb()
        clients = [socket.create_connection(service.address) for _ in range(count)]
        if content_of is None:
            trust = ssl.create_default_context(cafile=f"{folder}/cert.pem")
            clients = [trust.wrap_socket(client, server_hostname="localhost")
                       for client in clients]
        else:
            send_slowly(clients, content_of(service))
        held = service.settled_rss_kb() - before
        times = ask_health(service.health)
        print(f"{kind:36} {count:5} {before / 1024:8.1f} {held / 1024:8.1f} {held / count:9.1f}"
              f" {times[len(times) // 2] * 1000:8.2f} {times[-len(times) // 100] * 1000:8.2f}",
              flush=True)
        for client in clients:
            client.close()
        service.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", default="build/release/redress")
    options = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
    print(f"{'clients':36} {'count':>5} {'base MB':>8} {'more MB':>8} {'kB each':>9}"
          f" {'p50 ms':>8} {'p99 ms':>8}")
    for kind in KINDS:
        hold(options.program, kind)


if __name__ == "__main__":
    main()
