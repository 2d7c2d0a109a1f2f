"""A keyring for tests, as `$PYTHON_KEYRING_BACKEND`: saves passwords in the file `$KEYRING_FILE`."""

import json
import os
from pathlib import Path

from keyring.backend import KeyringBackend
from keyring.errors import PasswordDeleteError


class FileKeyring(KeyringBackend):
    priority = 5

    def _read(self):
        path = Path(os.environ["KEYRING_FILE"])
        return json.loads(path.read_text()) if path.exists() else {}

    def _write(self, passwords):
        Path(os.environ["KEYRING_FILE"]).write_text(json.dumps(passwords))

    def get_password(self, service, username):
        return self._read().get(f"{service} {username}")

    def set_password(self, service, username, password):
        self._write(self._read() | {f"{service} {username}": password})

    def delete_password(self, service, username):
        passwords = self._read()
        if passwords.pop(f"{service} {username}", None) is None:
            raise PasswordDeleteError(username)
        self._write(passwords)
