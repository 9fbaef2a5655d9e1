"""The forms in which Python 3.8 to 3.14 write tracebacks; standard library only, for the runner and for `web`."""

import re

MARGIN = re.compile(r"^(?P<indent>(?:  )+)(?P<bar>[|+]) ")  # of exception groups
RULER = re.compile(r"^(?:  )+\+-[-+]*(?: (?P<number>\d+|\.\.\.) -+)?$")
TRACEBACK = re.compile(r"^(?:Exception Group )?Traceback \(most recent call last\):$")
FRAME = re.compile(r'^  File "(?P<file>[^"]+)", line (?P<line>\d+)(?:, in (?P<function>.+))?')
JOINTS = (
    "The above exception was the direct cause of the following exception:",
    "During handling of the above exception, another exception occurred:",
)
# What stands behind one of these ended nothing.
HARMLESS = re.compile(
    r"^(?:Exception ignored |Error in atexit|Error in sys\.excepthook|Exception in thread "
    r"|--- Logging error ---|Task exception was never retrieved)"
)
