"""The launcher and its runners: standard library only, and lean, because every runner is a fork of this memory.

Values are NamedTuples here, not dataclasses: importing `dataclasses` would cost each start 1.4 MB and 10 ms.
"""
