"""Django's backend for SQLite with one thing more: a statement that failed is given back by the thread that ran it.

`base` is the module that Django looks for in a backend. `prepared` has queries whose SQL is built once.
"""
