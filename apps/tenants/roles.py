"""The database roles: one for each power, none SUPERUSER, and only the backup's reads past the wall."""

OWNER = "orkestra_owner"
APP = "orkestra_app"
PLATFORM = "orkestra_platform"
SEALER = "orkestra_sealer"
BACKUP = "orkestra_backup"
