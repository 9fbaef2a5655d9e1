"""A pytest plugin loaded before the settings: the tests get a data folder of their own."""

import atexit
import os
import shutil
import tempfile

_folder = tempfile.mkdtemp(prefix="tempo-tests-")
atexit.register(shutil.rmtree, _folder, ignore_errors=True)

for _name in [name for name in os.environ if name.startswith(("PYSCHED_", "TEMPO_"))]:
    del os.environ[_name]
os.environ["PYSCHED_DATA_PATH"] = _folder
os.environ["PYSCHED_DEBUG"] = (
    "true"  # static files by their plain names: collecting them takes seconds
)
