import subprocess
import sys

import httpx
import pytest

from simulators.process import ROOT, SimulatorFailed, start


def test_a_simulator_listens_where_it_says_and_is_gone_after_stop():
    with start("bigcommerce") as simulator:
        assert httpx.get(f"{simulator.url}/_sim/counters", timeout=10).status_code == 200
    assert simulator.process.returncode == 0
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{simulator.url}/_sim/counters", timeout=10)


def test_a_port_is_never_shared():
    with start("bigcommerce") as first:
        with pytest.raises(SimulatorFailed):
            start("bigcommerce", port=httpx.URL(first.url).port)


def test_a_simulator_ends_with_its_parent():
    parent = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import os; from simulators.process import start; print(start('bigcommerce').process.pid, flush=True); os._exit(9)",
        ],
        stdout=subprocess.PIPE,
        cwd=ROOT,
        text=True,
    )
    out, _ = parent.communicate(timeout=60)  # returns when the simulator, too, has let go of the pipe
    assert int(out) > 0
    assert parent.returncode == 9
