"""Files that the user names are read within a bound, and a warning names those that other users can change."""

import logging
import os
import stat
import threading

import pytest

from coatcheck import user_folders
from coatcheck.cli.deepset_simulator import read_keys
from coatcheck.cli.servers_file import read_servers
from coatcheck.errors import CoatcheckError
from coatcheck.mcp_server.authentication import TokenList
from coatcheck.mcp_server.jwt_verifier import JwtVerifier
from coatcheck.settings import Settings
from coatcheck.user_folders import MAX_FILE_BYTES, read_user_file

READERS = {
    "settings": Settings.load,
    "servers": lambda path: read_servers([path]),
    "tokens": TokenList.load,
    "keys": lambda path: JwtVerifier.open(str(path), issuer="https://issuer", audience="us"),
    "keys of the simulator": read_keys,
}


@pytest.mark.parametrize("reader", READERS)
def test_a_file_that_is_too_long_is_named_and_one_that_others_can_change_causes_a_warning(reader, tmp_path, caplog):
    path = tmp_path / "file"
    path.touch()
    os.truncate(path, MAX_FILE_BYTES + 1)  # of zeros, which take no space
    path.chmod(0o646)
    with caplog.at_level(logging.WARNING), pytest.raises(CoatcheckError, match=f"{path} cannot be read: it has more"):
        READERS[reader](path)
    assert f"Other users can change the file {path} (mode 646): run chmod " in caplog.text


@pytest.mark.parametrize(("mode", "warns"), [(0o600, False), (0o664, False), (0o602, True)])
def test_only_the_given_permissions_cause_a_warning(mode, warns, tmp_path, caplog):
    path = tmp_path / "file"
    path.write_bytes(b"text")
    path.chmod(mode)
    with caplog.at_level(logging.WARNING):
        assert read_user_file(path, 4, unsafe=stat.S_IWOTH) == b"text"
    assert ("run chmod o-w on it" in caplog.text) == warns


def test_devices_and_folders_are_not_read_without_end(tmp_path):
    with pytest.raises(OSError, match="it has more than 1,000 bytes"):
        read_user_file("/dev/zero", 1_000)
    with pytest.raises(IsADirectoryError):
        read_user_file(tmp_path)


def test_a_pipe_is_read_to_its_end_and_given_up_if_nothing_is_written(tmp_path, monkeypatch):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writing = threading.Thread(target=path.write_bytes, args=(b"x" * 100_000,))
    writing.start()
    assert read_user_file(path) == b"x" * 100_000
    writing.join()
    monkeypatch.setattr(user_folders, "PIPE_SECONDS", 0.01)
    with pytest.raises(TimeoutError, match="nothing was written to it"):
        read_user_file(path)
