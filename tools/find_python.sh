#!/bin/sh
# Prints the full path of a Python that the project runs on: 3.11, 3.12 or 3.13, in this order of preference.
# With an argument (a name such as python3.12, or a path) only that one is looked for.
#
# A candidate counts only if it runs: a pyenv shim answers `command -v` and may then fail, and Debian's python3 may come
# without venv. So every folder of PATH and every version that pyenv has installed is tried.

fits='import sys, venv, ensurepip
if not (3, 11) <= sys.version_info < (3, 14): sys.exit(1)
print(sys.executable)'

IFS=:
folders="$PATH"
for folder in "$(pyenv root 2>/dev/null || echo "$HOME/.pyenv")"/versions/*/bin; do
  folders="$folders:$folder"
done

case "$1" in
  */*) "$1" -c "$fits" 2>/dev/null && exit 0 ;;
  *)
    for name in ${1:-python3.11:python3.12:python3.13:python3:python}; do
      for folder in $folders; do
        [ -x "$folder/$name" ] && "$folder/$name" -c "$fits" 2>/dev/null && exit 0
      done
    done
    ;;
esac

echo "No fitting Python found${1:+ for PYTHON=$1}. Install Python 3.11 with venv (on Debian or Ubuntu: apt install python3.11" \
  "python3.11-venv; elsewhere: pyenv install 3.11, or python.org); 3.12 and 3.13 work too. Another place: make PYTHON=/path/to/python" >&2
exit 1
