"""Programs that run outside Tempo's process: standard library only, started by `__main__`.

A build is `install`, then `complete`; `examine` judges an environment's health, `install_python` installs a Python,
`measure` sums up sizes on the disk. `build_config`, `build_progress`, `uv_program` and `packages` are theirs in common.
"""
