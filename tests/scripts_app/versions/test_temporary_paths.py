"""Code that wrote below `/tmp`, with the run's own folder in its place."""

from scripts_app.versions import temporary_paths
from tests.rows import each_row

OWN = 'os.environ["TMPDIR"]'


@each_row(
    ("code", "changed"),
    [
        ('import os\nopen("/tmp/x")\n', f'import os\nopen({OWN} + "/x")\n'),
        ("open('/var/tmp/x')\n", f"import os\nopen({OWN} + '/x')\n"),
        ('import os\nos.chdir("/tmp")\n', f"import os\nos.chdir({OWN})\n"),
        ('import os.path\nx = f"/tmp/{1}"\n', f'import os.path\nx = {OWN} + f"/{{1}}"\n'),
        (
            '# /// script\n# ///\n"""About."""\nfrom __future__ import annotations\nx = "/tmp/a"\n',
            f'# /// script\n# ///\n"""About."""\nfrom __future__ import annotations\nimport os\nx = {OWN} + "/a"\n',
        ),
        (
            '# /// script\n# ///\nx = "/tmp/a"\n',
            f'# /// script\n# ///\nimport os\nx = {OWN} + "/a"\n',
        ),
        ('import os as o\nx = "/tmp"\n', f"import os\nimport os as o\nx = {OWN}\n"),
    ],
)
def test_a_path_below_it_is_put_below_the_runs_own(code: str, changed: str) -> None:
    assert temporary_paths.use_own_folder(code) == changed
    compile(changed, "main.py", "exec")


@each_row(
    "code",
    [
        'x = "/tmpfs/a"\n',
        'x = b"/tmp/a"\n',
        'x = "see /tmp/a"\n',
        'x = "a" "/tmp/b"\n',
        'x = ("/tmp/b"\n',
        'x = """/tmp/a"""\n',
    ],
)
def test_other_texts_and_what_would_not_be_python_stay(code: str) -> None:
    assert temporary_paths.use_own_folder(code) == code
