"""Names, options and help of the commands. What a command does is in a module of its own, loaded when it is called."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

import typer

from eigenpal._version import __version__

app: typer.Typer = typer.Typer(
    help="The command line of eigenpal.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # they show the values of local variables, API keys among them
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"eigenpal {__version__}")
        raise typer.Exit


def _finite(seconds: float) -> float:
    if not math.isfinite(seconds):
        raise typer.BadParameter("give a number of seconds.")
    return seconds


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Take the options that stand before a command."""


@app.command()
def sandbox(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port on 127.0.0.1; 0 for a free one.")] = 8770,
    data: Annotated[Path, typer.Option(help="Folder that keeps runs, files and the API key.", file_okay=False)] = Path(
        ".eigenpal"
    ),
    temporary: Annotated[bool, typer.Option("--temporary", help="Keep nothing once it has stopped.")] = False,
    load: Annotated[
        list[Path] | None,
        typer.Option(help="Python file that defines workflows and agents; may be given again.", dir_okay=False),
    ] = None,
    reload: Annotated[bool, typer.Option(help="Load the files again when they change.")] = True,
    key: Annotated[
        str | None, typer.Option(envvar="EIGENPAL_API_KEY", help="API key of clients; else one is made and kept.")
    ] = None,
    latency: Annotated[
        float, typer.Option(min=0, callback=_finite, help="Seconds that every run takes at least.")
    ] = 0.0,
    seed: Annotated[int | None, typer.Option(help="Makes the ids of runs and files repeatable.")] = None,
    max_running: Annotated[int, typer.Option(min=1, help="Runs that execute at once; the others wait.")] = 1000,
    generation: Annotated[str, typer.Option(help="Generation of the API: 0.7, or 0.6 for an older server.")] = "0.7",
    writable_sources: Annotated[
        bool, typer.Option("--writable-sources", help="Let the API write agents' files, as older servers did.")
    ] = False,
    max_body_bytes: Annotated[int, typer.Option(min=1, help="Larger requests are refused.")] = 4 * 1024**3,
) -> None:
    """Run the whole API on this machine, with Python functions as its workflows and agents."""
    from eigenpal.cli.sandbox_command import SandboxCommand

    command = SandboxCommand(
        files=load or [],
        reload=reload,
        options={
            "port": port,
            "data": None if temporary else data,
            "api_key": key,
            "run_latency": latency,
            "seed": seed,
            "generation": generation,
            "writable_sources": writable_sources,
            "max_running": max_running,
            "max_body_bytes": max_body_bytes,
        },
    )
    raise typer.Exit(command.run())
