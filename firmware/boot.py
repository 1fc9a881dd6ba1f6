"""Runs before main.py at every start: finishes a deploy that the power interrupted, nothing else.

`make deploy` lays the new files in .deploy/ ("~" stands for "/"), checks them, and then writes
.deploy/commit with the paths that the new version no longer has. From that moment the new version
counts: whatever of the moves below has not happened yet happens here, before main.py is read.
Without that file .deploy/ is an unfinished deploy, and the old version stays. WebREPL stays off.
"""

import os


def _finish_deploy():
    try:
        with open(".deploy/commit") as file:
            gone = file.read().split()
    except OSError:
        return
    for staged in os.listdir(".deploy"):
        if staged != "commit":
            os.rename(".deploy/" + staged, staged.replace("~", "/"))
    for path in gone:
        try:
            os.rmdir(path) if path[-1] == "/" else os.remove(path)
        except OSError:
            pass  # went before the power did
    os.remove(".deploy/commit")
    os.rmdir(".deploy")


_finish_deploy()
