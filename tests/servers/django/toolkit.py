"""A Django site that is nothing but django-oauth-toolkit: settings, URLs, set-up and application.

The file that TOOLKIT_SETTINGS names says how it is to be: folder, seconds, users, secret.
"""

import json
import os
from pathlib import Path

import django
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.urls import include, path

told = json.loads(Path(os.environ["TOOLKIT_SETTINGS"]).read_text())

settings.configure(
    SECRET_KEY="scratch",
    ALLOWED_HOSTS=["127.0.0.1"],
    ROOT_URLCONF="toolkit",
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "oauth2_provider"],
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": f"{told['folder']}/db.sqlite3",
            "OPTIONS": {"timeout": 30, "transaction_mode": "IMMEDIATE"},
        }
    },
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
    USE_TZ=True,
    OAUTH2_PROVIDER={
        "SCOPES": {"read": "Reading", "write": "Writing"},
        "ACCESS_TOKEN_EXPIRE_SECONDS": told["lifetime"],
        "ROTATE_REFRESH_TOKEN": True,
        "REFRESH_TOKEN_GRACE_PERIOD_SECONDS": told["grace"],
        "REFRESH_TOKEN_REUSE_PROTECTION": True,
    },
)
django.setup()

urlpatterns = [path("o/", include("oauth2_provider.urls", namespace="oauth2_provider"))]
application = get_wsgi_application()


def set_up() -> None:
    """Make the database, the users, and one application for each grant."""
    from django.contrib.auth import get_user_model
    from django.core.management import call_command
    from oauth2_provider.models import get_application_model

    call_command("migrate", verbosity=0)
    for name, password in told["users"].items():
        get_user_model().objects.create_user(name, password=password)
    for client_id, grant in told["clients"].items():
        get_application_model().objects.create(
            name=client_id,
            client_id=client_id,
            client_secret=told["secret"],
            client_type="confidential",
            authorization_grant_type=grant,
        )


if __name__ == "__main__":
    set_up()
