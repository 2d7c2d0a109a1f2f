import contextlib
import errno
import logging
import os
import sqlite3
import subprocess
import sys
import threading
import time
import tracemalloc
from pathlib import Path

import pytest

from coatcheck.backends import SQLiteBackend, SQLiteUnavailable
from coatcheck.backends.sqlite import database_file as sqlite_file
from coatcheck.backends.sqlite.database_file import connect
from coatcheck.errors import ObjectStoreUnavailable, ObjectTooLarge


@pytest.fixture
def path(tmp_path):
    return tmp_path / "cache" / "objects.sqlite"


@pytest.fixture
def make(path, clock):
    made = []

    def backend(**bounds):
        made.append(SQLiteBackend(path, clock=clock, **bounds))
        return made[-1]

    yield backend
    for each in made:
        each.close()


def keys(backend):
    return sorted(backend.scan(""))


def damage(path, position=None, length=2000):
    """Overwrite bytes of the file, like a failing disk."""
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2 if position is None else position)
        file.write(os.urandom(length))


def checkpoint_file(path):
    """Write everything from the WAL to the file."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def test_nothing_is_created_before_the_first_operation(make, path):
    make()
    assert not path.parent.exists()


def test_file_and_folders_are_accessible_to_the_owner_only_with_any_umask(tmp_path, clock):
    path = tmp_path / "home" / "cache" / "objects.sqlite"
    before = os.umask(0)
    try:
        backend = SQLiteBackend(path, clock=clock)
        backend.set("a", b"1", None)
        modes = {each.name: each.stat().st_mode & 0o777 for each in path.parent.iterdir()}
    finally:
        os.umask(before)
    backend.close()
    assert {each.stat().st_mode & 0o777 for each in (path.parent, path.parent.parent)} == {0o700}
    assert modes.pop("objects.sqlite-wal") == 0o600
    assert set(modes.values()) == {0o600}


def test_rights_of_others_on_the_file_are_removed(make, path):
    make().set("a", b"1", None)
    path.chmod(0o644)
    assert make().get("a") == b"1"
    assert path.stat().st_mode & 0o777 == 0o600


def test_objects_survive_a_restart_with_their_remaining_lifetime(make, clock):
    make().set("a", b"1", 10.0)
    clock.now += 9.9
    later = make()
    assert later.get("a") == b"1"
    clock.now += 0.2
    assert later.get("a") is None


def test_an_infinite_lifetime_never_ends_and_one_of_zero_removes_the_old_value(make, clock):
    backend = make()
    backend.set("a", b"1", float("inf"))
    backend.set("b", b"1", None)
    backend.set("b", b"2", 0.0)
    clock.now += 1e12
    assert keys(backend) == ["a"]


def test_expired_values_are_freed_by_a_later_set(make, path, clock):
    backend = make()
    for number in range(10):
        backend.set(f"n:{number}", b"x" * 100_000, 1.0)
    clock.now += 2
    backend.set("new", b"x", None)
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM objects").fetchone() == (1,)
        assert connection.execute("SELECT count(*) FROM pieces").fetchone() == (1,)
        assert connection.execute("SELECT * FROM namespaces").fetchall() == [(b"", 1, 1)]


def test_idle_values_read_as_missing_and_are_freed_by_a_later_set(make, path, clock):
    backend = make(max_idle=10)
    for name in ("n:unused", "n:used"):
        backend.set(name, b"x" * 100_000, None)
    clock.now += 9.5
    assert backend.get("n:used") == b"x" * 100_000
    clock.now += 0.5
    assert (backend.get("n:unused"), backend.head("n:unused", 1), backend.delete("n:unused")) == (None, None, False)
    backend.touch("n:unused")
    assert keys(backend) == ["n:used"]
    backend.set("new", b"x", None)
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT key FROM objects ORDER BY key").fetchall() == [(b"n:used",), (b"new",)]
    assert (backend.statistics().evictions, backend.statistics().expirations) == (0, 1)


def test_a_short_idle_time_is_more_precise_than_a_second(make, clock):
    backend = make(max_idle=0.5)
    backend.set("a", b"x", None)
    for _ in range(5):
        clock.now += 0.25
        assert backend.get("a") == b"x"
    clock.now += 0.5
    assert backend.get("a") is None


def test_each_process_applies_its_own_idle_time(make, clock):
    long_idle, short_idle = make(), make(max_idle=10)
    long_idle.set("a", b"x", None)
    clock.now += 10
    assert short_idle.get("a") is None
    assert long_idle.get("a") == b"x"
    assert short_idle.get("a") == b"x"


def test_the_least_recently_used_goes_first_and_get_counts_as_use(make, clock):
    backend = make(max_namespace_objects=3)
    for name in ("n:a", "n:b", "n:c"):
        backend.set(name, b"x", None)
        clock.now += 2
    backend.get("n:a")
    backend.head("n:b", 1)
    clock.now += 2
    backend.set("n:d", b"x", None)
    assert keys(backend) == ["n:a", "n:c", "n:d"]


def test_a_full_namespace_drops_its_own_objects_and_no_others(make, clock):
    backend = make(max_namespace_objects=2, max_namespace_bytes=10)
    for key in ("x:1", "y:1", "x:2", "y:2", "plain", "x:3"):
        backend.set(key, b"1", None)
        clock.now += 1
    assert keys(backend) == ["plain", "x:2", "x:3", "y:1", "y:2"]
    backend.set("y:3", b"1234567890", None)
    assert keys(backend) == ["plain", "x:2", "x:3", "y:3"]


def test_total_bytes_are_bounded_and_expired_values_are_removed_before_live_ones(make, clock):
    backend = make(max_bytes=10)
    backend.set("a", b"12345", None)
    clock.now += 1
    backend.set("b", b"12345", 1.0)
    clock.now += 2
    backend.set("c", b"12345", None)
    assert keys(backend) == ["a", "c"]
    backend.set("d", b"123456", None)
    assert keys(backend) == ["d"]


def test_a_clock_that_goes_back_does_not_evict_the_newest_object_first(make, clock):
    backend = make(max_namespace_objects=2)
    for name in ("n:a", "n:b"):
        backend.set(name, b"x", None)
    clock.now -= 1000
    backend.set("n:c", b"x", None)
    assert backend.get("n:c") == b"x"


def test_a_value_that_could_never_fit_is_refused_and_changes_nothing(make):
    backend = make(max_bytes=10)
    backend.set("a", b"12345", None)
    with pytest.raises(ObjectTooLarge):
        backend.set("a", bytes(11), None)
    assert backend.get("a") == b"12345"


@pytest.mark.parametrize("size", [2**22 - 1, 2**22, 2**22 + 1, 3 * 2**22 + 5])
def test_values_around_and_over_the_chunk_size_stay_whole(make, size):
    backend = make()
    value = (b"0123456789abcdefghi\n" * (size // 20 + 1))[:size]
    backend.set("before", b"x", None)
    backend.set("a", value, None)
    backend.set("after", b"y", None)
    assert backend.get("a") == value
    assert backend.head("a", 2**22 + 1) == value[: 2**22 + 1]
    assert (backend.get("before"), backend.get("after")) == (b"x", b"y")
    assert backend.delete("a") is True
    assert backend.get("a") is None


def test_the_file_shrinks_again(make, path, clock):
    backend = make()
    backend.set("big", bytes(120 * 2**20), None)
    checkpoint_file(path)
    grown = path.stat().st_size
    backend.delete("big")
    for number in range(10):
        backend.set(str(number), b"x", None)
    checkpoint_file(path)
    assert grown > 120 * 2**20
    assert path.stat().st_size < 40 * 2**20


WORK = """
import sys
from coatcheck.backends import SQLiteBackend
path, name = sys.argv[1:]
backend = SQLiteBackend(path, timeout=20)
for turn in range(150):
    backend.set(f"n:{name}-{turn}", f"{name}-{turn};".encode() * (turn * 40 + 1), 60)
    backend.set("n:shared", f"{name}-{turn};".encode() * (turn * 40 + 1), 60)
    assert backend.get(f"n:{name}-{turn}") == f"{name}-{turn};".encode() * (turn * 40 + 1)
    found = backend.get("n:shared")
    assert len(set(found.rstrip(b";").split(b";"))) == 1, "a mixture"
    print(backend.generate_id(), flush=True)
backend.close()
"""


def test_processes_that_start_at_the_same_time_share_the_file(path):
    workers = [
        subprocess.Popen([sys.executable, "-c", WORK, str(path), str(number)], stdout=subprocess.PIPE, text=True)
        for number in range(3)
    ]
    ids = [line for worker in workers for line in worker.communicate(timeout=60)[0].split()]
    assert [worker.returncode for worker in workers] == [0, 0, 0]
    assert len(set(ids)) == len(ids) == 450
    backend = SQLiteBackend(path)
    assert len(keys(backend)) == 451
    backend.close()


def test_values_survive_when_the_process_is_killed(path):
    program = (
        "import os, signal, sys; from coatcheck.backends import SQLiteBackend; b = SQLiteBackend(sys.argv[1]);"
        "b.set('a', b'x' * 10_000_000, None); os.kill(os.getpid(), signal.SIGKILL)"
    )
    assert subprocess.run([sys.executable, "-c", program, str(path)]).returncode == -9
    backend = SQLiteBackend(path)
    assert backend.get("a") == b"x" * 10_000_000
    backend.close()


def test_a_forked_child_process_uses_its_own_connections(make):
    backend = make()
    backend.set("a", b"1", None)
    child = os.fork()
    if child == 0:
        with contextlib.suppress(BaseException):
            backend.set("b", backend.get("a"), None)
            os._exit(0)
        os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
    assert (backend.get("a"), backend.get("b")) == (b"1", b"1")


def test_a_write_waits_for_another_writer_and_reads_continue(path):
    backend = SQLiteBackend(path, timeout=0.3)
    backend.set("a", b"1", None)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert backend.get("a") == b"1"
        start = time.monotonic()
        with pytest.raises(SQLiteUnavailable, match="locked by another process") as busy:
            backend.set("b", b"1", None)
        assert time.monotonic() - start > 0.2
        assert busy.value.kind == "busy"
        other.execute("COMMIT")
    backend.set("b", b"1", None)
    backend.close()


def damaged_files(path):
    return sorted(
        each.name for each in path.parent.glob("objects.sqlite.damaged-*") if each.name[-4:] not in {"-wal", "-shm"}
    )


@pytest.mark.parametrize("position", [0, 100, 4096, 8192, None])
def test_a_damaged_file_is_set_aside_with_a_message_and_a_new_one_made(make, path, caplog, position):
    backend = make()
    for number in range(50):
        backend.set(f"n:{number}", bytes(3000) + str(number).encode(), None)
    backend.close()
    checkpoint_file(path)
    damage(path, position, 3 * 4096)
    before = path.read_bytes()
    later = make()
    with caplog.at_level(logging.WARNING):
        found = [later.get(f"n:{number}") for number in range(50)]
        later.set("n:new", b"new", None)
    assert {value[3000:] for value in found if value} <= {str(number).encode() for number in range(50)}
    assert None in found
    assert later.get("n:new") == b"new"
    assert len(damaged_files(path)) == 1
    assert "was set aside as objects.sqlite.damaged-" in caplog.text
    assert (path.parent / damaged_files(path)[0]).read_bytes() == before


def test_a_value_with_a_flipped_bit_is_not_returned_and_costs_no_other(make, path, caplog):
    backend = make()
    backend.set("a", b"A" * 1_000_000, None)
    backend.set("b", b"another", None)
    backend.close()
    checkpoint_file(path)
    content = path.read_bytes()
    at = content.rindex(b"A" * 2000) + 1000
    damage(path, at, 1)
    while path.read_bytes()[at : at + 1] == b"A":
        damage(path, at, 1)
    later = make()
    assert later.get("a") is None
    assert "is not what was stored" in caplog.text
    assert list(later.scan("")) == ["b"]
    assert later.get("b") == b"another"
    assert damaged_files(path) == []


def test_a_chunk_of_hundreds_of_megabytes_by_another_program_is_not_read(make, path):
    backend = make()
    backend.set("a", b"value", None)
    backend.set("b", b"another", None)
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE pieces SET data = zeroblob(300000000) WHERE data = CAST('value' AS BLOB)")
        connection.execute("UPDATE objects SET size = 300000000 WHERE key = CAST('a' AS BLOB)")
    tracemalloc.start()
    try:
        assert backend.get("a") is None
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()
    assert list(backend.scan("")) == ["b"]


@pytest.mark.parametrize(
    "change",
    [
        *(
            f"UPDATE objects SET {column} = {value}"
            for column in ("size", "used")
            for value in ("'x'", "x'00'", "1e999")
        ),
        *(f"UPDATE pieces SET data = {value}" for value in ("'x'", "5", "1.5", "x''")),
        *(f"INSERT OR REPLACE INTO namespaces VALUES (x'00', {sums})" for sums in ("1, 1e999", "1e999, 1")),
        "UPDATE objects SET key = CAST(key || x'ff' AS BLOB)",
        "UPDATE OR REPLACE objects SET key = CAST(key AS TEXT)",
    ],
)
def test_values_of_other_types_by_another_program_raise_only_errors_of_the_store(make, path, change):
    backend = make(max_namespace_objects=9, max_namespace_bytes=900, max_bytes=900, max_idle=60)
    backend.set("n:a", b"value", None)
    for operation in (
        lambda: backend.get("n:a"),
        lambda: backend.head("n:a", 2),
        lambda: backend.touch("n:a"),
        lambda: list(backend.scan("n:")),
        backend.statistics,
        backend.ping,
        lambda: backend.set("n:b", b"1", None),
        lambda: backend.delete("n:a"),
    ):
        with contextlib.closing(sqlite3.connect(path)) as connection, connection:
            connection.execute(change)
        with contextlib.suppress(SQLiteUnavailable):
            operation()
        backend.set("n:a", b"value", None)
        assert backend.get("n:a") == b"value"


def test_a_process_with_the_damaged_file_open_switches_to_the_new_one(make, path):
    one, other = make(), make()
    for number in range(50):
        one.set(f"n:{number}", bytes(3000), None)
    assert other.get("n:1") == bytes(3000)
    one.close()
    checkpoint_file(path)
    damage(path, 0, path.stat().st_size // 2)
    fresh = make()
    fresh.set("a", b"1", None)
    assert other.get("a") == b"1"
    other.set("b", b"2", None)
    assert fresh.get("b") == b"2"
    assert len(damaged_files(path)) == 1


def test_a_process_that_detects_the_damage_later_does_not_set_the_new_file_aside(make, path):
    make().set("a", b"1", None)
    old = sqlite_file.identity_of(path)
    for _ in range(2):
        sqlite_file.set_aside(path, old, "damaged for a test", 1.0)
        make().set("a", b"2", None)
    assert make().get("a") == b"2"
    assert len(damaged_files(path)) == 1


def test_a_file_that_was_removed_is_created_again(make, path):
    backend = make()
    backend.set("a", b"1", None)
    for each in path.parent.iterdir():
        each.unlink()
    path.parent.rmdir()
    assert backend.get("a") is None
    backend.set("a", b"2", None)
    assert make().get("a") == b"2"


def test_a_file_of_another_program_is_refused_and_unchanged(tmp_path):
    text, database = tmp_path / "notes.txt", tmp_path / "other.sqlite"
    text.write_text("my notes, longer than the header of a database\n" * 10)
    with contextlib.closing(sqlite3.connect(database)) as connection:
        connection.execute("CREATE TABLE mine (x)")
    for path in (text, database):
        before = path.read_bytes()
        for _ in range(2):
            backend = SQLiteBackend(path)
            with pytest.raises(SQLiteUnavailable, match="did not create") as refused:
                backend.set("a", b"1", None)
            assert refused.value.kind == "foreign"
        assert path.read_bytes() == before


def test_a_link_is_not_followed(tmp_path):
    (tmp_path / "target").write_bytes(b"")
    (tmp_path / "objects.sqlite").symlink_to(tmp_path / "target")
    with pytest.raises(SQLiteUnavailable):
        SQLiteBackend(tmp_path / "objects.sqlite").set("a", b"1", None)
    assert (tmp_path / "target").read_bytes() == b""


@pytest.mark.parametrize("ending", ["", ".lock", ".secret"])
def test_a_named_pipe_is_refused_and_not_waited_for(make, path, ending):
    path.parent.mkdir()
    os.mkfifo(path.with_name(path.name + ending))
    with pytest.raises(SQLiteUnavailable, match="did not create"):
        sqlite_file.persistent_secret(path) if ending == ".secret" else make().set("a", b"1", None)


def test_a_file_of_a_later_version_is_refused(make, path):
    make().set("a", b"1", None)
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(SQLiteUnavailable, match="later version") as refused:
        make().get("a")
    assert refused.value.kind == "later"


AS_NOBODY = """
import os, sys
from coatcheck.backends import SQLiteBackend
from coatcheck.errors import ObjectStoreUnavailable
if os.geteuid() == 0:
    os.setegid(65534); os.seteuid(65534)
backend = SQLiteBackend(sys.argv[1])
try:
    exec(sys.argv[2])
except ObjectStoreUnavailable as error:
    print(error.kind, error)
backend.close()
"""


def run_as_nobody(path: Path, statement: str) -> str:
    done = subprocess.run([sys.executable, "-c", AS_NOBODY, str(path), statement], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def open_folder():
    """A folder that other users can access."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)
        yield Path(folder)


def test_a_read_only_file_or_folder_is_reported(open_folder):
    path = open_folder / "own" / "objects.sqlite"
    assert run_as_nobody(path, "backend.set('a', b'1', None)") == ""
    path.chmod(0o400)
    path.parent.chmod(0o500)
    assert run_as_nobody(path, "backend.set('b', b'1', None)").startswith("read_only ")
    assert run_as_nobody(path, "backend.ping()").startswith("read_only ")
    path.parent.chmod(0o700)
    path.chmod(0o600)
    assert run_as_nobody(path, "print(backend.get('a'))") == "b'1'\n"


def test_a_folder_that_cannot_be_created_is_reported(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SQLiteUnavailable, match="cannot be opened"):
        SQLiteBackend(tmp_path / "file" / "objects.sqlite").ping()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make another user's file")
def test_another_user_s_file_is_refused(make, path):
    make().set("a", b"1", None)
    os.chown(path, 65534, 65534)
    with pytest.raises(SQLiteUnavailable, match="belongs to another user"):
        make().get("a")


FULL = """
import resource, sys
from coatcheck.backends import SQLiteBackend
from coatcheck.errors import ObjectStoreUnavailable
backend = SQLiteBackend(sys.argv[1])
backend.set("a", b"1", None)
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, resource.RLIM_INFINITY))
try:
    backend.set("b", bytes(10_000_000), None)
except ObjectStoreUnavailable as error:
    print(error)
print(backend.get("a"), backend.get("b"))
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
backend.set("b", b"2", None)
print(backend.get("b"))
backend.close()
"""


def test_a_failing_write_is_an_error_that_loses_nothing(path):
    done = subprocess.run([sys.executable, "-c", FULL, str(path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    output, *found = done.stdout.splitlines()
    assert output.startswith(f"The object store in {path} cannot be read or written: the disk reports an error.")
    assert found == ["b'1' None", "b'2'"]


def test_a_full_disk_is_reported(make, monkeypatch):
    def connect_to_a_small_disk(path, timeout):
        connection = connect(path, timeout)
        connection.execute("PRAGMA max_page_count = 40")  # SQLite says of this what it says of a full disk
        return connection

    monkeypatch.setattr(sqlite_file, "connect", connect_to_a_small_disk)
    backend = make()
    backend.set("a", b"1", None)
    with pytest.raises(SQLiteUnavailable, match="disk or the quota is full") as full:
        backend.set("b", bytes(1_000_000), None)
    assert full.value.kind == "full"
    assert (backend.get("a"), backend.get("b")) == (b"1", None)


ON_A_SMALL_DISK = """
import os, pathlib, subprocess, sys
from coatcheck.backends import SQLiteBackend
from coatcheck.errors import ObjectStoreUnavailable
disk = pathlib.Path(sys.argv[1])
if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", disk]).returncode:
    sys.exit(77)
now = [1_000_000.0]
backend = SQLiteBackend(disk / "objects.sqlite", clock=lambda: now[0])
kept = 0
try:
    while True:
        backend.set(f"n:{kept}", os.urandom(200_000), 60.0 if kept < 2 else None)
        kept += 1
except ObjectStoreUnavailable as error:
    print(error)
def fill_the_rest():
    with open(disk / "filler", "ab", buffering=0) as file:
        try:
            while file.write(bytes(4096)):
                pass
        except OSError:
            pass
fill_the_rest()
print(len(backend.get(f"n:{kept - 1}")), [backend.delete(f"n:{number}") for number in range(2, 6)])
backend.set("n:small", b"1", None)
fill_the_rest()
now[0] += 100.0
backend.set("n:other", b"2", None)
print(backend.get("n:small"), backend.get("n:other"), backend.get("n:0"))
backend.close()
fill_the_rest()
print(SQLiteBackend(disk / "objects.sqlite").delete("n:6"))
"""


def test_on_a_full_disk_objects_can_be_deleted_or_expire_to_free_space(tmp_path):
    command = ["unshare", "--map-root-user", "--mount", sys.executable, "-c", ON_A_SMALL_DISK, str(tmp_path)]
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("there is no unshare")
    if done.returncode in {1, 77} and "Traceback" not in done.stderr:
        pytest.skip("mounting is not allowed")
    assert done.returncode == 0, done.stderr
    output, *found = done.stdout.splitlines()
    assert "the disk or the quota is full. Delete objects or other files, or lower max_total_bytes." in output
    assert found == ["200000 [True, True, True, True]", "b'1' b'2' None", "True"]


def test_a_value_larger_than_the_free_disk_space_is_refused_before_it_is_written(make, path, monkeypatch):
    backend = make(max_namespace_objects=2)
    backend.set("n:a", bytes(1_000_000), None)
    disk = os.statvfs(path.parent)
    free = os.statvfs_result((disk.f_bsize, 1, 100, 3_000_000, 3_000_000, *disk[5:10]))
    monkeypatch.setattr(os, "statvfs", lambda _path: free)
    with pytest.raises(SQLiteUnavailable, match=r"4,262,144 bytes are needed, 3,000,000 are free"):
        backend.set("n:b", bytes(2_000_000), None)
    backend.set("n:c", bytes(1_000_000), None)
    backend.set("n:d", bytes(1_000_000), None)
    assert keys(backend) == ["n:c", "n:d"]
    assert path.with_name(f"{path.name}-wal").stat().st_size == 0
    assert path.stat().st_size < 2_100_000


def test_concurrent_threads_that_write_and_read_never_fail(make):
    backend = make(max_namespace_objects=20)
    errors = []

    def work(thread):
        try:
            for turn in range(40):
                backend.set(f"n:{thread}-{turn}", bytes(5000), 60.0)
                backend.get(f"n:{thread}-{turn - 1}")
                backend.head(f"n:{thread}-{turn}", 10)
                list(backend.scan("n:"))
        except ObjectStoreUnavailable as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert len(keys(backend)) == 20


@pytest.mark.parametrize(("number", "kind"), [(errno.ENOSPC, "full"), (errno.EROFS, "read_only"), (errno.EIO, "disk")])
def test_the_error_says_why_the_secret_cannot_be_saved(path, monkeypatch, number, kind):
    def refuse(*_arguments):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "pwrite", refuse)
    with pytest.raises(SQLiteUnavailable) as raised:
        sqlite_file.persistent_secret(path)
    assert raised.value.kind == kind
