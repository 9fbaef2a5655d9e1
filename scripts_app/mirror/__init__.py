"""The git mirror: each version of a script is a commit of a repository here, and of one elsewhere if you name it.

`git` calls the program, without hooks, shells and other transports; `commits` writes versions as `git fast-import`
reads them; `mirror` brings the repository up to date beside everything else, and keeps what became of that.
"""
