"""REST operations of runs: `runs` starts, shows and cancels, `logs` tells what they wrote, `failures` groups failures
and repeats runs, `search` finds lines in the output of all runs, `retention` says what is kept, `backups` makes
backups, `url_triggers` sets up how scripts are started from outside, `views` keeps filters.

`router` has them all.
"""

from runs_app.api import backups as backups
from runs_app.api import failures as failures
from runs_app.api import logs as logs
from runs_app.api import retention as retention
from runs_app.api import search as search
from runs_app.api import url_triggers as url_triggers
from runs_app.api import views as views
from runs_app.api.common import router as router
from runs_app.api.runs import RunOut as RunOut
