#!/usr/bin/env bash
# Back up the running installation: scripts/backup.sh [folder].
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"
environment runtime
exec .venv/bin/python manage.py backup "$@"
