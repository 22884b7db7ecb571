"""What each library prints, in its own shape and with inputs of ours, in each of Lambda's log formats."""

import json

import pytest

from monitoring.forwarder.enrich import describe
from monitoring.forwarder.settings import ForwarderSettings
from monitoring.log_events.memory import Memory
from monitoring.log_events.reader import Reader, Rules

STAMP = 1_763_000_000_250
REQUEST = "8d2f4b1c-6a0e-4c3d-9b7f-2e5a1c0d3f46"
LAMBDA = '"LogGroup":"bake","ServiceName":"bake","ServiceType":"AWS::Lambda::Function"'
SETS = '["LogGroup","ServiceName","ServiceType","oven"],["LogGroup","ServiceName","ServiceType","shift"]'
GROUP = ("loggroup:bake", "servicename:bake", "servicetype:aws::lambda::function")

EMITTERS = {
    "datadog-lambda for Python": (
        '{"m":"bakery.loaves","v":4,"e":1763000000,"t":["oven:2","dd_lambda_layer:datadog-python312_8.130.0"]}',
        [("bakery.loaves", 4, ("oven:2", "dd_lambda_layer:datadog-python312_8.130.0"))],
    ),
    "datadog-lambda for Python, a small value": (
        '{"m":"bakery.heat","v":1e-7,"e":1763000000,"t":["dd_lambda_layer:datadog-python312_8.130.0"]}',
        [("bakery.heat", 1e-7, ("dd_lambda_layer:datadog-python312_8.130.0",))],
    ),
    "datadog-lambda for Python before ujson": (
        '{"m": "bakery.loaves", "v": 4, "e": 1763000000, "t": ["oven:2"]}',
        [("bakery.loaves", 4, ("oven:2",))],
    ),
    "datadog-lambda for JavaScript": (
        '{"e":1763000000,"m":"bakery.loaves","t":["oven:2","dd_lambda_layer:datadog-node22.11.0"],"v":4}',
        [("bakery.loaves", 4, ("oven:2", "dd_lambda_layer:datadog-node22.11.0"))],
    ),
    "datadog-lambda for Ruby": (
        '{"e":1763000000,"m":"bakery.heat","t":["dd_lambda_layer:datadog-ruby33","runtime:Ruby 3.3.5"],"v":200.5}',
        [("bakery.heat", 200.5, ("dd_lambda_layer:datadog-ruby33", "runtime:ruby_3.3.5"))],
    ),
    "datadog-lambda for Go": (
        '{"m":"bakery.loaves","v":4,"e":1763000000,"t":["oven:2","dd_lambda_layer:datadog-go1.23.4"]}',
        [("bakery.loaves", 4, ("oven:2", "dd_lambda_layer:datadog-go1.23.4"))],
    ),
    "datadog-lambda for Java": (
        '{"m":"bakery.loaves","v":4.0,"t":["oven:2"],"e":1763000000}',
        [("bakery.loaves", 4, ("oven:2",))],
    ),
    "Powertools for Python": (
        (f'{{"_aws":{{"Timestamp":{STAMP},"CloudWatchMetrics":[{{"Namespace":"Bakery","Dimensions":[["oven","service"]],'
        '"Metrics":[{"Name":"loaves","Unit":"Count"},{"Name":"heat","Unit":"Milliseconds","StorageResolution":1}]}]},'
        f'"oven":"2","service":"ovens","function_request_id":"{REQUEST}","note":"platform.x","loaves":[4.0],"heat":[200.0,210.0]}}'),
        [("Bakery.loaves", 4, ("oven:2", "service:ovens")), ("Bakery.heat", 200, ("oven:2", "service:ovens")),
         ("Bakery.heat", 210, ("oven:2", "service:ovens"))],
    ),
    "Powertools for TypeScript": (
        (f'{{"_aws":{{"Timestamp":{STAMP},"CloudWatchMetrics":[{{"Namespace":"Bakery","Dimensions":[["service","oven"]],'
        '"Metrics":[{"Name":"loaves","Unit":"Count"}]}]},"note":"x","service":"ovens","oven":"2","loaves":4}'),
        [("Bakery.loaves", 4, ("service:ovens", "oven:2"))],
    ),
    "Powertools for Java": (
        (f'{{"_aws":{{"Timestamp":{STAMP},"CloudWatchMetrics":[{{"Namespace":"Bakery","Metrics":[{{"Name":"loaves","Unit":"Count"}}],'
        f'"Dimensions":[["Service"]]}}]}},"xray_trace_id":"1-5e-6","Service":"ovens","function_request_id":"{REQUEST}","loaves":4.0}}'),
        [("Bakery.loaves", 4, ("service:ovens",))],
    ),
    "Powertools for .NET": (
        (f'{{"_aws":{{"Timestamp":{STAMP},"CloudWatchMetrics":[{{"Namespace":"Bakery","Metrics":[{{"Name":"loaves","Unit":"Count",'
        '"StorageResolution":1}],"Dimensions":[["Service"],["Service","oven"]]}]},"Service":"ovens","oven":"2","loaves":4}'),
        [("Bakery.loaves", 4, ("service:ovens", "oven:2"))],
    ),
    "Powertools for .NET without dimensions": (
        (f'{{"_aws":{{"Timestamp":{STAMP},"CloudWatchMetrics":[{{"Namespace":"Bakery","Metrics":[{{"Name":"loaves","Unit":"Count"}}],'
        '"Dimensions":[[]]}]},"loaves":4}'),
        [("Bakery.loaves", 4, ())],
    ),
    "aws-embedded-metrics for Python": (
        ('{"LogGroup": "bake", "ServiceName": "bake", "ServiceType": "AWS::Lambda::Function", "oven": "2", "shift": "night", '
        '"note": {"a": 1}, "executionEnvironment": "AWS_Lambda_python3.12", "memorySize": "128", "functionVersion": "7", '
        '"logStreamId": "2026/11/23/[7]ab", "traceId": "Root=1-5e-6;Sampled=1", '
        f'"_aws": {{"Timestamp": {STAMP}, "CloudWatchMetrics": [{{"Dimensions": [{SETS}], "Metrics": [{{"Name": "loaves", "Unit": "Count"}}, '
        '{"Name": "heat", "Unit": "Milliseconds"}], "Namespace": "Bakery"}]}, "loaves": 4, "heat": [200.5, 210]}'),
        [("Bakery.loaves", 4, (*GROUP, "oven:2", "shift:night")), ("Bakery.heat", 200.5, (*GROUP, "oven:2", "shift:night")),
         ("Bakery.heat", 210, (*GROUP, "oven:2", "shift:night"))],
    ),
    "aws-embedded-metrics for Node.js": (
        (f'{{{LAMBDA},"oven":"2","shift":"night","executionEnvironment":"AWS_Lambda_nodejs22.x","functionVersion":"7",'
        f'"_aws":{{"Timestamp":{STAMP},"CloudWatchMetrics":[{{"Dimensions":[{SETS}],"Metrics":[{{"Name":"heat","Unit":"Milliseconds"}}],'
        '"Namespace":"Bakery"}]},"heat":[200.5,210]}'),
        [("Bakery.heat", 200.5, (*GROUP, "oven:2", "shift:night")), ("Bakery.heat", 210, (*GROUP, "oven:2", "shift:night"))],
    ),
    "aws-embedded-metrics for Java": (
        (f'{{"_aws":{{"Timestamp":{STAMP},"CloudWatchMetrics":[{{"Namespace":"Bakery","Metrics":[{{"Name":"loaves","Unit":"Count"}}],'
        f'"Dimensions":[["LogGroup","ServiceName","ServiceType"]]}}]}},{LAMBDA},"functionVersion":"7","loaves":4.0}}'),
        [("Bakery.loaves", 4, GROUP)],
    ),
    "aws-embedded-metrics for .NET": (
        (f'{{"_aws":{{"Timestamp":{STAMP},"CloudWatchMetrics":[{{"Namespace":"Bakery","Dimensions":[["LogGroup","ServiceName","ServiceType"]],'
        f'"Metrics":[{{"Name":"loaves","Unit":"Count"}}]}}]}},{LAMBDA},"loaves":4.0}}'),
        [("Bakery.loaves", 4, GROUP)],
    ),
    "OpenTelemetry's EMF exporter": (
        ('{"OTelLib":"bake","Version":"1","_aws":{"CloudWatchMetrics":[{"Namespace":"Bakery","Dimensions":[["OTelLib","oven"],["OTelLib"],[]],'
        f'"Metrics":[{{"Name":"heat","Unit":"Milliseconds"}}]}}],"Timestamp":{STAMP}}},"heat":{{"Max":9,"Min":1,"Count":3,"Sum":15}},"oven":"2"}}'),
        [("Bakery.heat", value, ("otellib:bake", "oven:2")) for value in (1, 5, 9)],
    ),
    "OpenTelemetry's EMF exporter, an exponential histogram": (
        ('{"Version":"1","_aws":{"CloudWatchMetrics":[{"Namespace":"Bakery","Dimensions":null,"Metrics":[{"Name":"heat"}]}],'
        f'"Timestamp":{STAMP}}},"heat":{{"Values":[1.5,3,0],"Counts":[2,1,0],"Max":3,"Min":1.5,"Count":3,"Sum":6}}}}'),
        [("Bakery.heat", value, ()) for value in (1.5, 1.5, 3)],
    ),
    "OpenTelemetry's EMF exporter, metric declarations": (
        ('{"_aws":{"CloudWatchMetrics":[{"Namespace":"Bakery","Dimensions":[["oven"]],"Metrics":[{"Name":"loaves","Unit":"Count"}]},'
        f'{{"Namespace":"Bakery","Dimensions":[["shift"]],"Metrics":[{{"Name":"loaves","Unit":"Count"}}]}}],"Timestamp":{STAMP}}},'
        '"loaves":4,"oven":"2","shift":"night"}'),
        [("Bakery.loaves", 4, ("oven:2", "shift:night"))],
    ),
}  # fmt: skip
ONLY_PROPERTIES = {
    "aws-embedded-metrics for Python and Node.js": f'{{{LAMBDA},"note":"x","_aws":{{"Timestamp":{STAMP},"CloudWatchMetrics":'
    '[{"Dimensions":[["LogGroup"]],"Metrics":[],"Namespace":"aws-embedded-metrics"}]}}',
    "aws-embedded-metrics for Java": f'{{{LAMBDA},"note":"x"}}',
    "OpenTelemetry's EMF exporter without measurements": '{"OTelLib":"bake","heat":{"Max":9,"Min":1,"Count":3,"Sum":15}}',
}  # fmt: skip
SPAN = '"trace_id":"51f0a2b3c4d5e6f7","span_id":"c1","parent_id":"51f0a2b3c4d5e6f7","resource":"bake","name":"aws.lambda"'
TIMES = '"start":1763000000250000000,"duration":1000000'
TRACERS = {
    "ddtrace": f'{{"traces":[[{{{SPAN},"service":"bakery","error":0,{TIMES},"meta":{{"env":"prod"}},"metrics":{{"_dd.top_level":1.0}},"type":"serverless"}}]]}}',
    "dd-trace for Node.js": f'{{"traces":[[{{{SPAN},"error":0,"meta":{{"runtime-id":"x"}},"metrics":{{"_sampling_priority_v1":1}},{TIMES},"service":"bakery","type":"serverless"}}]]}}',
    "datadog for Ruby": f'{{"traces":[[{{"error":0,"meta":{{"env":"prod"}},"metrics":{{}},"meta_struct":{{}},{SPAN},"service":"bakery","type":"serverless","span_links":[],{TIMES}}}]]}}',
    "dd-trace for Java": f'{{"traces":[[{{"service":"bakery",{SPAN},{TIMES},"type":"serverless","error":0,"metrics":{{"thread.id":1}},"meta":{{"language":"jvm"}}}}]]}}',
    "keys around it": f'{{"awsRequestId":"{REQUEST}","traces":[[{{{SPAN},"service":"bakery","error":false,{TIMES},"meta":null,"metrics":null}}]]}}',
}  # fmt: skip


def envelope(level="INFO", key="message", **fields):
    return lambda text: json.dumps(
        {"timestamp": "2026-11-23T10:00:00.250Z", "level": level, **fields, key: text}
    )


def holding(**fields):
    return lambda text: json.dumps({**fields, "message": json.loads(text)})


FORMATS = {
    "text": lambda text: text,
    "a newline": lambda text: text + "\n",
    "Node.js, text": lambda text: f"2026-11-23T10:00:00.250Z\t{REQUEST}\tINFO\t{text}\n",
    "Node.js, text, pretty-printed": lambda text: (
        f"2026-11-23T10:00:00.250Z\t{REQUEST}\tINFO\t{json.dumps(json.loads(text), indent=2)}\n"
    ),
    "Node.js, JSON": envelope(requestId=REQUEST),
    "Node.js, JSON, an object": holding(
        timestamp="2026-11-23T10:00:00.250Z", level="INFO", requestId=REQUEST
    ),
    "Python, text": lambda text: f"[INFO]\t2026-11-23T10:00:00.250Z\t{REQUEST}\t{text}\n",
    "Python, JSON": envelope(logger="root", requestId=REQUEST),
    "Java, JSON": envelope(AWSRequestId=REQUEST),
    ".NET, text": lambda text: f"2026-11-23T10:00:00.250Z\t{REQUEST}\tinfo\t{text}\n",
    ".NET, JSON": envelope("Information", requestId=REQUEST, traceId="1-5e-6"),
    "Ruby, text": lambda text: f"I, [2026-11-23T10:00:00.250000 #8]  INFO -- : {text}\n",
    "Powertools for Python's Logger, a dict": holding(level="INFO", location="<module>:24", service="ovens"),
    "Powertools for Python's Logger": envelope(
        location="<module>:24", service="ovens", xray_trace_id="1-5e-6"
    ),
    "Powertools for TypeScript's Logger": envelope(service="ovens", sampling_rate=0),
    "Powertools for Java's Logger": envelope(cold_start=True, function_name="bake"),
    "Powertools for .NET's Logger": envelope("Information", "Message", Service="ovens"),
}


def read(text):
    reader = Reader(describe(ForwarderSettings(), "", "", "", ""), Memory(), Rules())
    reader.read(text, STAMP, 1)
    reader.flush()
    return reader.out


@pytest.mark.parametrize("log_format", FORMATS)
@pytest.mark.parametrize("emitter", EMITTERS)
def test_what_a_library_prints_becomes_its_points_in_every_log_format(emitter, log_format):
    line, expected = EMITTERS[emitter]
    found = read(FORMATS[log_format](line))
    assert [(point.metric, point.value, point.tags) for point in found.points] == expected
    assert {int(point.timestamp) for point in found.points} == {1_763_000_000}
    assert (found.logs, found.refused) == ([], [])


@pytest.mark.parametrize("log_format", FORMATS)
@pytest.mark.parametrize("tracer", TRACERS)
def test_what_a_tracer_prints_becomes_its_spans_in_every_log_format(tracer, log_format):
    found = read(FORMATS[log_format](TRACERS[tracer]))
    (span,) = found.spans
    assert (span.trace_id, span.span_id, span.service, span.start) == (
        "51f0a2b3c4d5e6f7", "00000000000000c1", "bakery", 1_763_000_000_250_000_000,
    )  # fmt: skip
    assert (found.logs, found.refused) == ([], [])


@pytest.mark.parametrize("log_format", FORMATS)
@pytest.mark.parametrize("emitter", ONLY_PROPERTIES)
def test_what_a_library_prints_without_metrics_is_a_log(emitter, log_format):
    text = FORMATS[log_format](ONLY_PROPERTIES[emitter])
    found = read(text)
    assert ([entry.message for entry in found.logs], found.points, found.refused) == ([text], [], [])
