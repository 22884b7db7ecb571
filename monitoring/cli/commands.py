"""List the subcommands: the extra that each needs, and its line in the overview."""

COMMANDS = {
    "lines": ("lint", "Check log lines: line, column, what is wrong, what to write"),
    "test": ("lint", "Run the tests of monitors"),
    "backtest": ("lint", "Show what a monitor would have done over stored history"),
    "lint": ("lint", "Check dashboards, monitors and templates, offline"),
    "preview": ("lint", "Draw dashboards as pictures or pages, without an account"),
    "up": ("local", "Run your own template on this machine, with pages, until told to stop"),
    "run": ("local", "Run a state machine of your own template on this machine, once"),
    "demo": ("local", "Run the example pipeline on this machine, end to end"),
    "drill": ("local", "Break the pipeline in every way, and see which monitor notices"),
    "init": ("lint", "Put handlers, dashboards and monitors into a project"),
    "plan": ("lint", "Show what an apply would create, update and delete"),
    "apply": ("lint", "Make Datadog what the files say"),
    "pull": ("lint", "Bring a dashboard or monitor from Datadog into a file"),
    "import": ("lint", "Bring the files of other tools into the project"),
    "export": ("lint", "Write the definitions for another tool (terraform)"),
    "destroy": ("lint", "Delete what the project owns in Datadog"),
    "forward": ("forwarder", "Forward log files to Datadog, or show what their lines are"),
    "doctor": ("forwarder", "Say at which step an account's telemetry ends on its way to Datadog"),
    "replay": ("local", "Read exported logs of any age into Parquet, or to Datadog, each once"),
    "serve": ("local", "Serve the embedded Datadog: intake, API, monitors, pages"),
    "graph": ("lint", "Draw a state machine, with an execution's path or many executions' figures"),
    "advise": ("local", "Say how much each step should do, from what executions did"),
    "cost": ("local", "Estimate a month's costs of a template at AWS and Datadog"),
    "trace": ("lint", "Show one execution's timeline"),
    "query": ("lint", "Evaluate a query over a data file or the database"),
    "completion": ("lint", "Print a script that completes commands and options in your shell"),
}
"""Subcommand -> its extra, and its line in the overview; `monitoring.cli.NAME` holds `command`."""

THEMES = {
    "On this machine": ("demo", "up", "run", "serve", "graph"),
    "Files of a project": ("init", "lint", "test", "backtest", "drill", "preview"),
    "Datadog": ("plan", "apply", "pull", "import", "export", "destroy"),
    "Executions, metrics and costs": ("trace", "query", "advise", "cost"),
    "Log lines": ("lines", "forward", "replay", "doctor"),
    "The shell": ("completion",),
}
"""The overview: a job -> its subcommands."""
