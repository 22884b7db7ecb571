"""pages-when-idle: a monitor that notifies of missing data that is missing whenever nothing happens."""

from collections.abc import Iterator

from monitoring.lint import proof
from monitoring.lint.alerting import facts, metric_query, metrics_in, notifies_missing
from monitoring.lint.model import Problem, Rule, Subject

RULE = Rule("pages-when-idle", "warning", "A monitor that pages when nothing happens.", ("monitor",))


def check(subject: Subject) -> Iterator[Problem]:
    """Find notifications of missing data of metrics of Lambda and Step Functions, which need traffic.

    It is proved: the evaluator notifies once such a metric stops being sent.
    """
    query = metric_query(subject)
    if query is None or not notifies_missing(subject.options):
        return
    names = [metric.name for metric in metrics_in(query.query) if facts(metric) is not None]
    if names and proof.pages_for_silence(subject.body, query):
        key = "notify_no_data" if subject.options.get("notify_no_data") else "on_missing_data"
        text = (
            f"{names[0]} is sent only while something runs: a quiet night is No Data, and this pages for it. "
            "Set on_missing_data: default or resolve, and watch for silence with one that expects traffic"
        )
        yield Problem(("options", key), text, case=proof.silence_case(subject.body, query))
