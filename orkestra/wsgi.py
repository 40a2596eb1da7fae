"""The web application. It checks the wall before it answers the first request."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "orkestra.settings")
application = get_wsgi_application()

from apps.tenants.catalogue import refuse_a_broken_wall  # noqa: E402  needs the apps

refuse_a_broken_wall()
