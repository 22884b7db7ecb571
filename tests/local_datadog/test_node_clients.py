"""Datadog's npm clients, unmodified, against the embedded server; two of them speak https only, through a
proxy.
"""

import asyncio
import contextlib
import datetime as dt
import ipaddress
import json
import os
import shutil
import ssl
import subprocess
import threading
from pathlib import Path

import pytest

from monitoring.local_datadog import Access, LocalDatadog, Settings
from monitoring.local_datadog.guard import LOOPBACK

pytestmark = [
    pytest.mark.node,
    pytest.mark.slow,
    pytest.mark.skipif(not shutil.which("npm"), reason="needs npm"),
]
CLIENTS = Path(__file__).parents[1] / "clients"


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The clients, installed from the registry; STEPSCOPE_NODE_CLIENTS names a folder that has them
    already.
    """
    if ready := os.environ.get("STEPSCOPE_NODE_CLIENTS"):
        folder = Path(ready)
    else:
        folder = tmp_path_factory.mktemp("clients")
        shutil.copy(CLIENTS / "package.json", folder)
        options = ["--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts"]
        found = subprocess.run(
            ["npm", "install", *options], cwd=folder, capture_output=True, text=True, timeout=280, check=False
        )
        if found.returncode:
            pytest.skip(f"npm cannot install the clients: {found.stderr[-300:]}")
    for script in CLIENTS.glob("*.?js"):
        shutil.copy(script, folder)
    return folder


@pytest.fixture
def datadog():
    access = Access(hosts=LOOPBACK | {"api.dd.test"})
    with LocalDatadog(settings=Settings(access)) as server:
        yield server


def run(folder, script, argument, *options, **environ):
    command = ["node", *options, script, str(argument)]
    found = subprocess.run(
        command,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, **environ},
    )
    assert found.returncode == 0, found.stderr
    return json.loads(found.stdout.splitlines()[-1])


def test_the_api_client_submits_queries_creates_changes_and_deletes(installed, datadog):
    assert run(installed, "api_client.mjs", datadog.url) == {
        "submitted": [],
        "queried": 4.5,
        "scalar": 4.5,
        "created": True,
        "renamed": "o",
        "listed": 1,
        "deleted": True,
        "board": "t",
        "gone": True,
    }
    assert datadog.store.logs(service="s")[0]["message"] == "from node"


def test_datadog_metrics_flushes_every_type(installed, datadog, tmp_path):
    with secured(datadog.url, tmp_path) as (port, authority):
        names = str(installed / "local_names.cjs")
        assert run(installed, "metrics.cjs", port, "--require", names, NODE_EXTRA_CA_CERTS=authority) == {
            "flushed": True
        }
    stored = {m.name: (m.type, m.sum) for m in datadog.store.metrics()}
    assert stored["buffered.gauge"] == ("gauge", 7.0)
    assert stored["buffered.count"] == ("count", 3.0)
    assert stored["buffered.distribution"] == ("distribution", 5.0)
    assert stored["buffered.histogram.max"][1] == 20.0


def test_dogapi_sends_its_keys_in_the_query_and_handles_monitors(installed, datadog, tmp_path):
    with secured(datadog.url, tmp_path) as (port, authority):
        names = str(installed / "local_names.cjs")
        seen = run(installed, "dogapi.cjs", port, "--require", names, NODE_EXTRA_CA_CERTS=authority)
    assert seen == {"sent": "ok", "queried": 1, "renamed": "o", "deleted": True, "event": "title"}


@contextlib.contextmanager
def secured(url, folder):
    """A TLS address before the server: (port, file of the authority)."""
    certificate = _certificate(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    loop = asyncio.new_event_loop()
    target = int(url.rpartition(":")[2])

    async def pump(reader, writer):
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
            writer.close()

    async def serve(reader, writer):
        upstream_reader, upstream_writer = await asyncio.open_connection("127.0.0.1", target)
        await asyncio.gather(pump(reader, upstream_writer), pump(upstream_reader, writer))

    server = loop.run_until_complete(asyncio.start_server(serve, "127.0.0.1", 0, ssl=context))
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield server.sockets[0].getsockname()[1], str(certificate)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()


def _certificate(folder):
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "api.dd.test")])
    now = dt.datetime.now(dt.UTC)
    alternatives = [x509.DNSName("api.dd.test"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    pem = serialization.Encoding.PEM
    file = folder / "certificate.pem"
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain)
    file.write_bytes(built.public_bytes(pem) + private)
    return file
