"""A cluster of two hosts: two network namespaces of Linux, joined by one virtual cable.

The scheduler, the client and a worker run on one host, another worker on the other. Only root can
make namespaces; for other users this test is skipped.
"""

import os
import shutil
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

import skperceptron

pytest.importorskip("distributed")

ADDRESSES = ["10.77.0.1", "10.77.0.2"]
SCHEDULER = f"tcp://{ADDRESSES[0]}:8786"


def ip(*arguments):
    return subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)


@pytest.fixture
def hosts():
    """Make two hosts that can reach only each other; return their names."""
    if shutil.which("ip") is None or not hasattr(os, "geteuid") or os.geteuid() != 0:
        pytest.skip("network namespaces need iproute2 and root")
    names = [f"skp{os.getpid()}{letter}" for letter in "ab"]
    try:
        for name in names:
            if ip("netns", "add", name).returncode:
                pytest.skip("network namespaces cannot be made here")
        cable = [("cable", "netns", name) for name in names]
        if ip("link", "add", *cable[0], "type", "veth", "peer", "name", *cable[1]).returncode:
            pytest.skip("virtual cables cannot be made here")
        for name, address in zip(names, ADDRESSES, strict=True):
            ip("-n", name, "addr", "add", f"{address}/24", "dev", "cable")
            ip("-n", name, "link", "set", "cable", "up")
            ip("-n", name, "link", "set", "lo", "up")
        yield names
    finally:
        for name in names:
            ip("netns", "del", name)


def command(host, *arguments):
    return ["ip", "netns", "exec", host, sys.executable, *arguments]


def test_fits_and_searches_on_two_hosts_are_those_of_one_process(hosts, tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(Path(skperceptron.__file__).parents[1])}
    options = {"env": environment, "cwd": tmp_path, "text": True}
    with ExitStack() as stack, open(tmp_path / "log", "w") as log:

        def start(host, *arguments):
            process = stack.enter_context(
                subprocess.Popen(command(host, *arguments), stdout=log, stderr=log, **options)
            )
            stack.callback(process.terminate)
            return process

        scheduler = ("-m", "distributed.cli.dask_scheduler", "--host", ADDRESSES[0])
        running = [start(hosts[0], *scheduler, "--port", "8786", "--no-dashboard")]
        for host, address in zip(hosts, ADDRESSES, strict=True):
            worker = ("-m", "distributed.cli.dask_worker", SCHEDULER, "--host", address)
            running.append(start(host, *worker, "--nthreads", "1", "--no-dashboard"))
        time.sleep(1)
        assert [process.poll() for process in running] == [None] * 3, (tmp_path / "log").read_text()
        client = command(hosts[0], str(Path(__file__).with_name("two_hosts.py")), SCHEDULER)
        done = subprocess.run(client, capture_output=True, timeout=300, **options)
        assert done.returncode == 0, done.stderr
        assert done.stdout.strip() == "same on 10.77.0.1 10.77.0.2"
