"""The start of a script, as `_tempo_main.py` in each environment: the run's code, as the `main.py` beside its files.

That file need not be there, and is neither read nor written. For Python 3.8 and later; imports nothing that costs time.
A run starts the byte code of this module.
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


class _BeforeFirstLine(Exception):
    """Ends `exec()` when it has compiled a text and has not begun to run it."""


def _compile(data, name):
    """Return `compile(data, name, "exec")`, 1 to 2 ms sooner: its first call in a process makes all classes of `ast`.

    `exec()` compiles a text without them, so the code is taken from there. A text with an error, or one that Python
    warns of, is left to `compile()`: what that says names the file.
    """
    code = _code_of_exec(data)
    if code is None:
        return compile(data, name, "exec", 0, True)
    return _renamed(code, name)


def _code_of_exec(data):
    """Return the code that `exec()` makes of a text, of which nothing is run; None for an error or a warning."""
    import _warnings
    import sys

    codes = []

    # Python calls this before the first line of any code.
    def take_code(frame, event, _argument):
        if event == "call":
            codes.append(frame.f_code)
            raise _BeforeFirstLine

    profile = sys.getprofile()
    filters = list(_warnings.filters)
    _warnings.filters[:] = [("error", None, Warning, None, 0)]
    sys.setprofile(take_code)
    try:
        exec(data, {})
    except BaseException:  # also what a warning became
        pass
    finally:
        sys.setprofile(profile)
        _warnings.filters[:] = filters
    return codes[0] if codes else None


def _renamed(code, name):
    """Return the code with the name of its file, which `exec()` does not know."""
    kind = type(code)
    constants = [_renamed(one, name) if type(one) is kind else one for one in code.co_consts]
    return code.replace(co_filename=name, co_consts=tuple(constants))


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
    main = _compile(code.data, code.name)
    for own in ("_Code", "_BeforeFirstLine", "_compile", "_code_of_exec", "_renamed", "_start"):
        del names[own]
    names["__file__"] = code.name
    names["__doc__"] = None
    exec(main, names)


_start(globals())
