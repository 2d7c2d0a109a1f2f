import pytest

from coatcheck.testing import BackendContract


class TestFolderBackend(BackendContract):
    @pytest.fixture
    def backend(self, example, tmp_path):
        return example("custom_backend").FolderBackend(tmp_path / "objects")


def test_the_example_reads_its_object_with_another_container(run, tmp_path):
    printed = run("examples/custom_backend.py", str(tmp_path)).splitlines()
    assert printed[0].startswith("kept in a file: ")
    assert printed[1] == "found again:    quince"
