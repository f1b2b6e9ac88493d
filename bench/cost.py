#!/usr/bin/env python3
"""What a check costs the service under test.

An independent client asks GET /healthz of the example service at a fixed rate, once while the
service runs alone and once while `shakedown check` runs on it, in turn. Printed: the client's
latency in each lane of the run, beside the same service alone, and the service's processor time.

    bench/cost.py SHAKEDOWN FIXTURES [ROUNDS]

SHAKEDOWN is the built command, FIXTURES the folder of the example services with bin/orders and
bin/inventory. Everything is on loopback; every process that is started is ended by its id.
"""

import http.client
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

RATE = 50  # requests a second of the independent client
ALONE = 20  # seconds that the service is watched alone
TICK = os.sysconf("SC_CLK_TCK")


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for sock in sockets:
        sock.bind(("127.0.0.1", 0))
    ports = [sock.getsockname()[1] for sock in sockets]
    for sock in sockets:
        sock.close()
    return ports


def cpu_seconds(pid):
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return None
    return (int(fields[11]) + int(fields[12])) / TICK


class Client(threading.Thread):
    """Asks at a fixed rate; a late answer delays nothing but itself being counted."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.port, self.samples, self.stop = port, [], threading.Event()

    def run(self):
        connection, due = None, time.monotonic()
        while not self.stop.is_set():
            due += 1 / RATE
            time.sleep(max(0, due - time.monotonic()))
            began, wall = time.monotonic(), time.time()
            try:
                connection = connection or http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
                connection.request("GET", "/healthz")
                connection.getresponse().read()
                # Against the time it was due: a stall counts for all that it delayed.
                self.samples.append((wall, time.monotonic() - min(began, due)))
            except OSError:
                connection = None
            if time.monotonic() - due > 1:
                due = time.monotonic()


def wait_for(port):
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    sys.exit(f"nothing listens on port {port}")


def command(fixtures, ports, inventory):
    http_port, grpc_port, admin_port = ports
    return [f"{fixtures}/bin/orders", "-http", f"127.0.0.1:{http_port}", "-grpc", f"127.0.0.1:{grpc_port}",
            "-admin", f"127.0.0.1:{admin_port}", "-inventory", inventory]


def alone(fixtures):
    ports, (inventory_port,) = free_ports(3), free_ports(1)
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    env = {**os.environ, "OTEL_TRACES_EXPORTER": "none"}
    inventory = subprocess.Popen([f"{fixtures}/bin/inventory", "-grpc", f"127.0.0.1:{inventory_port}"], env=env, **quiet)
    orders = subprocess.Popen(command(fixtures, ports, f"127.0.0.1:{inventory_port}"), env=env, **quiet)
    try:
        wait_for(ports[0])
        time.sleep(1)
        client, before = Client(ports[0]), cpu_seconds(orders.pid)
        client.start()
        time.sleep(ALONE)
        client.stop.set()
        client.join()
        return [latency for _, latency in client.samples], (cpu_seconds(orders.pid) - before) / ALONE
    finally:
        for process in (orders, inventory):
            process.terminate()
            process.wait(20)


CONFIG = """schema = 1
[[service]]
name = "orders"
start = {{ cmd = {cmd} }}
[[service.dependency]]
name = "inventory"
cmd = ["{fixtures}/bin/inventory", "-grpc", "{inventory}"]
ready = "grpc://{inventory}"
[[service.request]]
grpc = "orders.v1.Orders/Get"
data = {{ id = "7" }}
[[service.request]]
grpc = "orders.v1.Orders/Search"
data = {{ query = "bolt" }}
[[service.request]]
http = "GET /orders/7"
"""


def checked(shakedown, fixtures, folder):
    ports, (inventory_port,) = free_ports(3), free_ports(1)
    inventory = f"127.0.0.1:{inventory_port}"
    config, bundle = Path(folder, "cost.toml"), Path(folder, "bundle")
    config.write_text(CONFIG.format(cmd=json.dumps(command(fixtures, ports, inventory)), fixtures=fixtures, inventory=inventory))
    run = subprocess.Popen([shakedown, "check", "--silent", "--config", config, "--window", "10s", "--bundle", bundle],
                           stdout=subprocess.DEVNULL)
    wait_for(ports[0])
    client = Client(ports[0])
    client.start()
    cpu = []
    pid = None
    while run.poll() is None:
        time.sleep(0.1)
        pid = pid or next((e["of"]["pid"] for e in events(bundle) if e.get("event") == "listener"), None)
        used = cpu_seconds(pid) if pid else None
        if used is not None:
            cpu.append((time.time(), used))
    client.stop.set()
    client.join()
    return client.samples, cpu, list(events(bundle)), run.returncode


def events(bundle):
    try:
        with open(Path(bundle, "events.jsonl"), encoding="utf-8") as lines:
            for line in lines:
                try:
                    yield json.loads(line)
                except ValueError:
                    return
    except OSError:
        return


def lanes(recorded):
    began = next(e["of"]["started_unix_ns"] for e in recorded if e.get("event") == "run") / 1e9
    marks = [(began + e["of"]["at"] / 1e6, e["of"]["name"]) for e in recorded if e.get("event") == "mark"]
    starts = [(at, name.removeprefix("lane ")) for at, name in marks if name.startswith("lane ")]
    return [(name, at, nxt) for (at, name), (nxt, _) in zip(starts, starts[1:])]


def row(name, latencies, extra=""):
    ordered = sorted(latencies)
    at = lambda q: 1000 * ordered[min(len(ordered) - 1, int(q * len(ordered)))]
    print(f"| {name:<22} | {len(ordered):>5} | {at(0.5):>7.2f} | {at(0.99):>7.2f} | {1000 * ordered[-1]:>7.2f} | {extra:>12} |")


def main():
    shakedown, fixtures = sys.argv[1], os.path.abspath(sys.argv[2])
    rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 3
    base, base_cpu, by_lane, cpu_by_lane, looks = [], [], {}, {}, []
    for _ in range(rounds):
        latencies, cpu = alone(fixtures)
        base += latencies
        base_cpu.append(cpu)
        with tempfile.TemporaryDirectory() as folder:
            samples, cpu, recorded, code = checked(shakedown, fixtures, folder)
        if code != 0:
            print(f"the check ended with {code}", file=sys.stderr)
        looks.append(sum(e.get("event") == "snapshot" for e in recorded))
        for name, begin, end in lanes(recorded):
            by_lane.setdefault(name, []).extend(l for at, l in samples if begin <= at < end)
            used = [u for at, u in cpu if begin <= at < end]
            if len(used) > 1:
                cpu_by_lane.setdefault(name, []).append((used[-1] - used[0]) / (end - begin))
    print(f"{rounds} rounds; an independent client at {RATE} requests/s; goroutine looks a run: {looks}")
    print("| lane                   | calls | p50 ms  | p99 ms  | max ms  | cores used   |")
    print("|---|---|---|---|---|---|")
    row("service alone", base, f"{statistics.median(base_cpu):.3f}")
    for name, latencies in by_lane.items():
        if latencies:
            row(name, latencies, f"{statistics.median(cpu_by_lane.get(name, [0])):.3f}")


if __name__ == "__main__":
    main()
