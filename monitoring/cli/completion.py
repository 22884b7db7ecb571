"""`stepscope completion`: what a shell needs to complete commands and options."""

import click
from click.shell_completion import get_completion_class

from monitoring.cli.group import COMPLETION_VARIABLE, root
from monitoring.terminal import echo


@click.command("completion")
@click.argument("shell", type=click.Choice(("bash", "zsh", "fish")))
def command(shell: str) -> int:
    """Print the script that completes commands and options in SHELL.

    \b
    source <(stepscope completion bash)            in ~/.bashrc; bash 4.4 or later
    source <(stepscope completion zsh)             in ~/.zshrc, after compinit
    stepscope completion fish | source             in ~/.config/fish/config.fish
    """
    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"click has no completion for {shell}")
    echo(kind(root, {}, "stepscope", COMPLETION_VARIABLE).source())
    return 0
