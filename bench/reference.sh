#!/usr/bin/env bash
# Compares a server with the Dispatcher and one with django-anymail under gunicorn, and
# prints the figures as a table. With -write it puts them into docs/benchmarks.md.
# Linux only: it reads the servers' processor time and memory from /proc.
#
# It installs nothing: PYTHON (/usr/bin/python3) has to have django-anymail and gunicorn.
# ROUNDS (7) is how often each server is measured; a round has REQUESTS (10000) of one
# event, or BATCHES (100). WORKER_CLASS is gunicorn's: sync, its default, takes less
# processor time here than gthread, although it closes the connection after each answer.
set -euo pipefail
cd "$(dirname "$0")"
export GOWORK=off # see doc.go

target=()
case "${1:-}" in
"") ;;
-write) target=(-write ../docs/benchmarks.md) ;;
*)
	echo "usage: reference.sh [-write]" >&2
	exit 2
	;;
esac

python=${PYTHON:-/usr/bin/python3}
versions=$("$python" -c 'import platform, anymail, django, gunicorn
print(f"django-anymail {anymail.__version__}, Django {django.__version__}, gunicorn {gunicorn.__version__}, Python {platform.python_version()}")' 2>/dev/null) || {
	echo "reference.sh: $python has no django-anymail or no gunicorn. On Debian: apt-get install python3-django-anymail gunicorn" >&2
	exit 1
}

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
# A receiver that counts, like that of the program reference. The workers have the
# memory with the counts in common, because they are forked after the import (--preload).
cat >"$dir/app.py" <<'END'
import mmap
import os

from django.conf import settings

settings.configure(
    ALLOWED_HOSTS=["*"],
    ANYMAIL={
        "WEBHOOK_SECRET": os.environ["REFERENCE_SECRET"],
        "MAILGUN_WEBHOOK_SIGNING_KEY": os.environ["REFERENCE_SIGNING_KEY"],
    },
    INSTALLED_APPS=["anymail"],
    MIDDLEWARE=[],
    ROOT_URLCONF=__name__,
    SECRET_KEY="not used",
)

from django.core.wsgi import get_wsgi_application

application = get_wsgi_application()

from anymail.signals import tracking
from django.dispatch import receiver
from django.http import HttpResponse
from django.urls import include, path

counts = memoryview(mmap.mmap(-1, 8 * 1024)).cast("q")


@receiver(tracking)
def count(sender, event, esp_name, **kwargs):
    counts[os.getpid() % len(counts)] += 1


urlpatterns = [
    path("anymail/", include("anymail.urls")),
    path("count", lambda request: HttpResponse(str(sum(counts)))),
]
END

workers=$(nproc)
class=${WORKER_CLASS:-sync}
go build -o "$dir/reference" ./cmd/reference
{
	sed -n '/^model name/{s/.*: /cpu: /p;q}' /proc/cpuinfo
	echo "reference: $versions with $workers $class workers"
	"$dir/reference" -rounds "${ROUNDS:-7}" -requests "${REQUESTS:-10000}" -batches "${BATCHES:-100}" \
		"$python" -m gunicorn --chdir "$dir" --preload --workers "$workers" --worker-class "$class" --log-level warning app
} >"$dir/figures" # first, so that nothing is written after a failure
go run ./cmd/table "${target[@]}" <"$dir/figures"
