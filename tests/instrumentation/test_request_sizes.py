"""The size of an event is that of the request's body, as Lambda's runtime client read it."""

import json
import sys
import types

import pytest
from awslambdaric import lambda_runtime_client as client

from monitoring import monitored
from monitoring.capture import LambdaContext, capture
from monitoring.instrumentation import runtime
from monitoring.instrumentation.event import read_event

SPACED = b'{"photo":   "a.jpg", "text": "caf\\u00e9"}'


@pytest.fixture(autouse=True)
def runtime_client(monkeypatch):
    """A runtime client whose marshaller is replaced as in a process of its own."""
    monkeypatch.setattr(client.BaseLambdaRuntimeClient, "marshaller", client.LambdaMarshaller())
    monitored(print)
    return client.LambdaRuntimeClient("127.0.0.1:1")


def received(runtime_client, body: bytes) -> object:
    return runtime_client.marshaller.unmarshal_request(body, "application/json")


@pytest.mark.parametrize("smallest", [0, len(SPACED)])
def test_a_body_is_counted_as_it_came(runtime_client, smallest):
    assert read_event(received(runtime_client, SPACED), None, smallest).size == len(SPACED)


@pytest.mark.parametrize("smallest", [None, len(SPACED) + 1])
def test_no_size_below_the_smallest(runtime_client, smallest):
    assert read_event(received(runtime_client, SPACED), None, smallest).size is None


@pytest.mark.parametrize("body", [b"null", b"7", b'"text"', b"[]", b"[1,  2]", b"{}", b"true"])
def test_any_json_is_a_body(runtime_client, body):
    assert read_event(received(runtime_client, body), None, 0).size == len(body)


def test_an_equal_event_is_not_taken_for_the_one_that_was_read(runtime_client):
    """Only the object that was read last has that size: not an equal one, and not the one of a call within."""
    event = received(runtime_client, SPACED)
    assert read_event(json.loads(SPACED), None, 0).size == len(
        json.dumps(json.loads(SPACED), separators=(",", ":"), ensure_ascii=False).encode()
    )
    assert read_event(event, None, 0).size != len(
        SPACED
    )  # asked for after another one: what was read is gone


def test_a_handler_that_is_called_by_another_measures_what_it_is_given(runtime_client):
    event = received(runtime_client, SPACED)
    assert read_event(event, None, 0).size == len(SPACED)
    assert read_event(event, None, 0).size == 32


def test_no_event_is_kept_after_its_invocation(runtime_client):
    read_event(received(runtime_client, SPACED), None, None)
    assert runtime.request._event is None


def test_the_marshaller_of_the_user_goes_on(runtime_client):
    class Upper(client.LambdaMarshaller):
        flag = "kept"

        def unmarshal_request(self, request, content_type="application/json"):
            return super().unmarshal_request(request.upper(), content_type)

    client.BaseLambdaRuntimeClient.marshaller = Upper()
    monitored(print)
    assert received(runtime_client, b'{"a": 1}') == {"A": 1}
    assert runtime_client.marshaller.marshal_response({"b": 1}) == ('{"b": 1}', "application/json")
    assert runtime_client.marshaller.flag == "kept"


def test_a_runtime_client_without_a_base_class_is_known_too(monkeypatch):
    """As awslambdaric 3 has it."""
    older = types.SimpleNamespace(
        LambdaRuntimeClient=types.SimpleNamespace(marshaller=client.LambdaMarshaller())
    )
    monkeypatch.setitem(sys.modules, "awslambdaric.lambda_runtime_client", older)
    monitored(print)
    event = older.LambdaRuntimeClient.marshaller.unmarshal_request(SPACED, "application/json")
    assert read_event(event, None, 0).size == len(SPACED)


@pytest.mark.parametrize(
    "module", [None, types.SimpleNamespace(), types.SimpleNamespace(LambdaRuntimeClient=int)]
)
def test_without_a_marshaller_an_event_is_measured(monkeypatch, module):
    monkeypatch.setitem(sys.modules, "awslambdaric.lambda_runtime_client", module)
    monitored(print)
    assert read_event(json.loads(SPACED), None, 0).size == 32


def test_decorated_twice_a_request_is_read_by_one_marshaller(runtime_client):
    before = runtime_client.marshaller
    monitored(print)
    assert runtime_client.marshaller is before


def test_a_body_that_is_not_json_fails_as_before(runtime_client):
    with pytest.raises(Exception, match="Unable to unmarshal input"):
        received(runtime_client, b"{")


def test_the_line_of_an_invocation_has_the_size_of_its_body(runtime_client):
    body = json.dumps({"text": ["line"] * 100}, indent=4).encode()
    event = received(runtime_client, body)
    with capture() as emitted:
        monitored(lambda event, context: None)(event, LambdaContext())
    emitted.assert_value("stepscope.request.size", len(body))
