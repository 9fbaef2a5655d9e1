"""The start of a script, as `_tempo_main.py` in each environment: the run's code, as the `main.py` beside its files.

That file need not be there, and is neither read nor written. For Python 3.8 and later; imports nothing that costs time.
"""

# Each function imports what it needs: the names of this module make place for those of the script.


class _Code:
    """Gives the lines to `linecache` as soon as somebody imports that, to print a traceback or a source."""

    def __init__(self, name, data):
        self.name = name
        self.data = data

    def find_spec(self, name, path=None, target=None):
        if name != "linecache":
            return None
        import sys

        sys.meta_path.remove(self)
        for finder in sys.meta_path:
            spec = finder.find_spec(name, path, target)
            if spec is not None:
                self._fill_after(spec.loader)
                return spec
        return None

    def _fill_after(self, loader):
        execute = loader.exec_module

        def exec_module(module):
            execute(module)
            self.fill(module)

        loader.exec_module = exec_module

    def fill(self, linecache):
        linecache.cache[self.name] = (len(self.data), None, self.lines(), self.name)

    def lines(self):
        return self.data.decode("utf-8-sig", "replace").splitlines(True)

    def show(self, kind, error, trace):
        """Print an error without the frames before the script's own."""
        if isinstance(error, SyntaxError) and error.filename == self.name:
            error.text = "".join(self.lines()[(error.lineno or 1) - 1 :][:1])
        while trace is not None and trace.tb_frame.f_code.co_filename != self.name:
            trace = trace.tb_next
        try:
            import traceback

            traceback.print_exception(kind, error, trace)
        except Exception:  # no memory, or a module of the script has this name
            import sys

            sys.__excepthook__(kind, error, trace)


def _start(names):
    import os
    import sys

    files = os.environ["TEMPO_FILES"]
    with open(os.path.join(os.environ["TEMPO_RUN_FOLDER"], "main.py"), "rb") as file:
        code = _Code(os.path.join(files, "main.py"), file.read())
    if "linecache" in sys.modules:
        code.fill(sys.modules["linecache"])
    else:
        sys.meta_path.insert(0, code)
    sys.excepthook = code.show
    sys.argv[:1] = [code.name]
    if names["__name__"] == "__main__":
        sys.path[0] = files
        # By this name multiprocessing finds the script in a process that it starts afresh.
        names["__spec__"] = type(sys.__spec__)("_tempo_main", None)
    del names["_Code"], names["_start"]
    names["__file__"] = code.name
    names["__doc__"] = None
    exec(compile(code.data, code.name, "exec", 0, True), names)


_start(globals())
