"""Write every file that is made from `tempo.toml`."""

from deploy.generator import files

for path, text in files.made().items():
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
